// What the nodes of a session recorded, in this process's clock.
#include <string.h>

#include "remote_exec/client/remote_session.h"

enum { kPings = 8 };

static const uint64_t kAnswerNs = (uint64_t)10 * 1000000000;

// A node's clock is read in the middle of a round trip, as far as is known: the shortest of some says best.
static genie_status_t read_clock(const genie_remote_node_t *node, int64_t *out_ahead_ns, uint64_t *out_error_ns) {
  uint64_t shortest_ns = UINT64_MAX;
  for (uint64_t i = 0; i < kPings; ++i) {
    Genie__Wire__Ping ping = GENIE__WIRE__PING__INIT;
    genie_wire_control_t reply = {0};
    ping.sequence = i + 1;
    const uint64_t begin_ns = genie_session_now_ns();
    GENIE_RETURN_IF_ERROR(genie_node_link_request(node->link, GENIE_WIRE_PING, &ping.base, GENIE_WIRE_PONG,
                                                  genie_deadline_after_ns(kAnswerNs), &reply));
    const uint64_t round_trip_ns = genie_session_now_ns() - begin_ns;
    if (round_trip_ns < shortest_ns) {
      shortest_ns = round_trip_ns;
      *out_ahead_ns = (int64_t)(reply.pong->clock_ns - (begin_ns + round_trip_ns / 2));
    }
    genie_wire_control_deinit(&reply);
  }
  *out_error_ns = shortest_ns / 2;
  return GENIE_OK;
}

// Adds the records of one answer; a node may say anything.
static genie_status_t take_answer(const genie_remote_node_t *node, const Genie__Wire__Trace *answer,
                                  genie_trace_batch_t *batch, bool *out_has_more) {
  const size_t count = answer->records.len / sizeof(genie_trace_record_t);
  if (answer->records.len % sizeof(genie_trace_record_t) != 0 || count > GENIE_TRACE_CAPACITY - batch->count ||
      (answer->has_more && count == 0)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "node '%s' answers with a trace of %zu bytes",
                             genie_node_link_name(node->link), answer->records.len);
  }
  if (count > 0) {
    memcpy(batch->records + batch->count, answer->records.data, answer->records.len);
  }
  batch->count += (uint32_t)count;
  node->session->base.trace_dropped_count += answer->dropped_count;
  *out_has_more = answer->has_more && batch->count < GENIE_TRACE_CAPACITY;
  return GENIE_OK;
}

static genie_status_t take_records(const genie_remote_node_t *node, genie_trace_batch_t *batch) {
  bool has_more = true;
  while (has_more) {
    Genie__Wire__GetTrace request = GENIE__WIRE__GET_TRACE__INIT;
    genie_wire_control_t reply = {0};
    request.session_id = node->session_id;
    GENIE_RETURN_IF_ERROR(genie_node_link_request(node->link, GENIE_WIRE_GET_TRACE, &request.base, GENIE_WIRE_TRACE,
                                                  genie_deadline_after_ns(kAnswerNs), &reply));
    const genie_status_t status = take_answer(node, reply.trace, batch, &has_more);
    genie_wire_control_deinit(&reply);
    GENIE_RETURN_IF_ERROR(status);
  }
  return GENIE_OK;
}

static genie_status_t take_node(genie_remote_session_t *session, const genie_remote_node_t *node,
                                genie_trace_batch_t *batch) {
  int64_t ahead_ns = 0;
  void *records = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&session->base.trace_arena, GENIE_TRACE_CAPACITY, sizeof(genie_trace_record_t), &records));
  *batch = (genie_trace_batch_t){.records = records};
  GENIE_RETURN_IF_ERROR(read_clock(node, &ahead_ns, &batch->error_ns));
  GENIE_RETURN_IF_ERROR(take_records(node, batch));
  for (uint32_t i = 0; i < batch->count; ++i) {
    batch->records[i].begin_ns -= (uint64_t)ahead_ns;
    batch->records[i].end_ns -= (uint64_t)ahead_ns;
  }
  return GENIE_OK;
}

genie_status_t genie_remote_session_take_traces(genie_session_t *base, genie_trace_batch_t *batches,
                                                uint32_t *batch_count) {
  genie_remote_session_t *session = (genie_remote_session_t *)base;
  for (uint32_t i = 0; i < session->node_count; ++i) {
    GENIE_RETURN_IF_ERROR(take_node(session, &session->nodes[i], &batches[i]));
    ++*batch_count;
  }
  return GENIE_OK;
}
