#include "remote_exec/daemon/state_service.h"

#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/connection.h"

static genie_status_t ready_share(const genie_node_session_t *session) {
  return session->share != NULL ? GENIE_OK
                                : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the session is not ready");
}

// A copy on the way, charged to the client like all else that it makes this node hold.
static genie_status_t allocate_copy(const genie_node_session_t *session, uint64_t size_bytes, void **out_copy) {
  GENIE_RETURN_IF_ERROR(genie_budget_charge(session->budget, session->client, GENIE_BUDGET_MEMORY, size_bytes));
  *out_copy = session->allocator.allocate(session->allocator.self, size_bytes == 0 ? 64 : size_bytes, 64);
  if (*out_copy == NULL) {
    genie_budget_return(session->budget, session->client, GENIE_BUDGET_MEMORY, size_bytes);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a state of %llu bytes",
                             (unsigned long long)size_bytes);
  }
  return GENIE_OK;
}

static void free_copy(const genie_node_session_t *session, void *copy, uint64_t size_bytes) {
  genie_allocator_free(session->allocator, copy);
  genie_budget_return(session->budget, session->client, GENIE_BUDGET_MEMORY, size_bytes);
}

genie_status_t genie_state_read(genie_node_session_t *session, const char *name, genie_channel_t *channel) {
  genie_place_program_t *program = NULL;
  uint64_t size_bytes = 0;
  void *copy = NULL;
  GENIE_RETURN_IF_ERROR(ready_share(session));
  GENIE_RETURN_IF_ERROR(genie_share_find_state(session->share, name, &program, &size_bytes));
  GENIE_RETURN_IF_ERROR(allocate_copy(session, size_bytes, &copy));
  genie_node_session_stop_calls(session);
  genie_status_t status = genie_place_program_read_state(program, name, copy, size_bytes);
  genie_node_session_let_calls(session);
  if (status == GENIE_OK) {
    Genie__Wire__StateData data = GENIE__WIRE__STATE_DATA__INIT;
    data.session_id = session->id;
    status = genie_connection_send_control(channel, GENIE_WIRE_STATE_DATA, &data.base, copy, size_bytes,
                                           genie_liveness_transfer_deadline(size_bytes));
  }
  free_copy(session, copy, size_bytes);
  return status;
}

genie_status_t genie_state_write(genie_node_session_t *session, const char *name, genie_channel_t *channel,
                                 uint64_t *left_bytes) {
  genie_place_program_t *program = NULL;
  uint64_t size_bytes = 0;
  void *copy = NULL;
  GENIE_RETURN_IF_ERROR(ready_share(session));
  GENIE_RETURN_IF_ERROR(genie_share_find_state(session->share, name, &program, &size_bytes));
  if (*left_bytes != size_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "state '%.64s' has %llu bytes, not %llu", name,
                             (unsigned long long)size_bytes, (unsigned long long)*left_bytes);
  }
  GENIE_RETURN_IF_ERROR(allocate_copy(session, size_bytes, &copy));
  *left_bytes = 0;
  genie_status_t status = size_bytes == 0 ? GENIE_OK
                                          : genie_channel_receive_payload(channel, copy, size_bytes,
                                                                          genie_liveness_transfer_deadline(size_bytes));
  if (status == GENIE_OK) {
    genie_node_session_stop_calls(session);
    status = genie_place_program_write_state(program, name, copy, size_bytes);
    genie_node_session_let_calls(session);
  }
  free_copy(session, copy, size_bytes);
  return status;
}

genie_status_t genie_state_reset(genie_node_session_t *session) {
  GENIE_RETURN_IF_ERROR(ready_share(session));
  genie_node_session_stop_calls(session);
  const genie_status_t status = genie_share_reset_states(session->share);
  genie_node_session_let_calls(session);
  return status;
}
