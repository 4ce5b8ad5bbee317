// States of a session on other nodes: each is where its place is.
#include "remote_exec/client/remote_session.h"
#include "remote_exec/node/liveness.h"

typedef struct state_home {
  genie_remote_node_t *node;  // NULL: this process
  genie_place_program_t *program;
} state_home_t;

// All calls in flight have ended: a session's own thread asks, and states are between two calls.
static genie_status_t settle(genie_remote_session_t *session) {
  pthread_mutex_lock(&session->mutex);
  while (session->call_count > 0) {
    pthread_cond_wait(&session->changed, &session->mutex);
  }
  pthread_mutex_unlock(&session->mutex);
  return genie_remote_session_check(session);
}

static genie_status_t find_home(genie_remote_session_t *session, const char *name, uint64_t size_bytes,
                                state_home_t *out_home) {
  uint32_t index = 0;
  uint64_t share_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_model_find_state(session->base.model, name, &index));
  const genie_plan_tensor_t *tensor = &session->base.model->plan->tensors[index];
  if (tensor->maximum_bytes != size_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "state '%.64s' has %llu bytes, not %llu", name,
                             (unsigned long long)tensor->maximum_bytes, (unsigned long long)size_bytes);
  }
  GENIE_RETURN_IF_ERROR(settle(session));
  *out_home = (state_home_t){0};
  if (session->tensor_node[index] != UINT32_MAX) {
    out_home->node = &session->nodes[session->tensor_node[index]];
    return GENIE_OK;
  }
  return genie_share_find_state(session->share, name, &out_home->program, &share_bytes);
}

static genie_status_t request(genie_remote_node_t *node, genie_wire_kind_t kind, const ProtobufCMessage *message,
                              const void *payload, uint64_t payload_bytes, uint64_t moved_bytes,
                              genie_wire_kind_t answer_kind) {
  genie_wire_control_t answer;
  GENIE_RETURN_IF_ERROR(genie_node_link_send(node->link, kind, message, payload, payload_bytes));
  GENIE_RETURN_IF_ERROR(genie_node_link_receive(node->link, answer_kind, answer_kind,
                                                genie_liveness_transfer_deadline(moved_bytes), &answer));
  genie_wire_control_deinit(&answer);
  return GENIE_OK;
}

genie_status_t genie_remote_session_read_state(genie_session_t *base, const char *name, void *out_data,
                                               uint64_t size_bytes) {
  state_home_t home;
  GENIE_RETURN_IF_ERROR(find_home((genie_remote_session_t *)base, name, size_bytes, &home));
  if (home.node == NULL) {
    return genie_place_program_read_state(home.program, name, out_data, size_bytes);
  }
  Genie__Wire__ReadState message = GENIE__WIRE__READ_STATE__INIT;
  message.session_id = home.node->session_id;
  message.name = (char *)name;
  genie_node_link_expect_payload(home.node->link, out_data, size_bytes);
  const genie_status_t status =
      request(home.node, GENIE_WIRE_READ_STATE, &message.base, NULL, 0, size_bytes, GENIE_WIRE_STATE_DATA);
  genie_node_link_forget_payload(home.node->link);
  return status;
}

genie_status_t genie_remote_session_write_state(genie_session_t *base, const char *name, const void *data,
                                                uint64_t size_bytes) {
  state_home_t home;
  GENIE_RETURN_IF_ERROR(find_home((genie_remote_session_t *)base, name, size_bytes, &home));
  if (home.node == NULL) {
    return genie_place_program_write_state(home.program, name, data, size_bytes);
  }
  Genie__Wire__WriteState message = GENIE__WIRE__WRITE_STATE__INIT;
  message.session_id = home.node->session_id;
  message.name = (char *)name;
  return request(home.node, GENIE_WIRE_WRITE_STATE, &message.base, data, size_bytes, size_bytes, GENIE_WIRE_STATE_DONE);
}

genie_status_t genie_remote_session_reset_state(genie_session_t *base) {
  genie_remote_session_t *session = (genie_remote_session_t *)base;
  GENIE_RETURN_IF_ERROR(settle(session));
  for (uint32_t i = 0; i < session->node_count; ++i) {
    Genie__Wire__ResetStates message = GENIE__WIRE__RESET_STATES__INIT;
    message.session_id = session->nodes[i].session_id;
    GENIE_RETURN_IF_ERROR(
        request(&session->nodes[i], GENIE_WIRE_RESET_STATES, &message.base, NULL, 0, 0, GENIE_WIRE_STATE_DONE));
  }
  return session->share != NULL ? genie_share_reset_states(session->share) : GENIE_OK;
}
