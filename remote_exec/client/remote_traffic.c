// What crossed in a session on other nodes: the caller's share is counted here, the nodes' share there.
#include <string.h>

#include "remote_exec/client/remote_session.h"

static uint64_t bytes_of(const genie_tensor_t *tensor) {
  uint64_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (uint64_t)tensor->shape[i];
  }
  return bytes;
}

static void add(genie_remote_count_t *count, const genie_tensor_t *tensor) {
  count->last_bytes = bytes_of(tensor);
  count->total_bytes += count->last_bytes;
}

void genie_remote_traffic_add(genie_remote_session_t *session, uint32_t entry, const genie_tensor_t *inputs,
                              const genie_tensor_t *outputs, const int64_t *symbols) {
  const genie_plan_t *plan = session->base.model->plan;
  const genie_plan_entry_t *record = &plan->entries[entry];
  pthread_mutex_lock(&session->mutex);
  for (uint32_t i = 0; i < record->input_count; ++i) {
    add(&session->counts[genie_plan_input(plan, entry, i)], &inputs[i]);
  }
  for (uint32_t i = 0; i < record->output_count; ++i) {
    add(&session->counts[genie_plan_output(plan, entry, i)], &outputs[i]);
  }
  memcpy(session->last_symbols + record->first_symbol, symbols, record->symbol_count * sizeof(*symbols));
  session->has_run[entry] = true;
  pthread_mutex_unlock(&session->mutex);
}

// ---- Nodes ----

static const genie_remote_node_t *find_node(const genie_remote_session_t *session, uint32_t place) {
  for (uint32_t i = 0; i < session->node_count; ++i) {
    for (uint32_t k = 0; k < session->nodes[i].place_count; ++k) {
      if (session->nodes[i].places[k] == place) {
        return &session->nodes[i];
      }
    }
  }
  return NULL;
}

static genie_status_t ask(const genie_remote_node_t *node, uint32_t transfer, genie_session_traffic_t *traffic) {
  Genie__Wire__GetTraffic request = GENIE__WIRE__GET_TRAFFIC__INIT;
  genie_wire_control_t reply = {0};
  request.session_id = node->session_id;
  request.transfer = transfer;
  GENIE_RETURN_IF_ERROR(genie_node_link_request(node->link, GENIE_WIRE_GET_TRAFFIC, &request.base, GENIE_WIRE_TRAFFIC,
                                                genie_deadline_after_ns((uint64_t)10 * 1000000000), &reply));
  traffic->last_bytes = reply.traffic->last_bytes;
  traffic->total_bytes = reply.traffic->total_bytes;
  genie_wire_control_deinit(&reply);
  return GENIE_OK;
}

static genie_status_t count_transfer(const genie_remote_session_t *session, uint32_t transfer,
                                     genie_session_traffic_t *traffic) {
  const genie_plan_transfer_t *record = &session->base.model->plan->transfers[transfer];
  const genie_remote_node_t *node = find_node(session, record->destination_place);
  return node != NULL ? ask(node, transfer, traffic)
                      : genie_share_traffic(session->share, transfer, &traffic->last_bytes, &traffic->total_bytes);
}

// Evaluates the sizes of the last run of an entry into `session->values`; false where it has not run.
static bool evaluate_last_run(genie_remote_session_t *session, uint32_t entry) {
  const genie_plan_t *plan = session->base.model->plan;
  pthread_mutex_lock(&session->mutex);
  const bool has_run = session->has_run[entry];
  if (has_run) {
    genie_plan_evaluate(plan, entry, session->last_symbols + plan->entries[entry].first_symbol, session->values);
  }
  pthread_mutex_unlock(&session->mutex);
  return has_run;
}

genie_status_t genie_remote_traffic_count(const genie_session_t *base, uint32_t entry, const genie_traffic_edge_t *edge,
                                          genie_session_traffic_t *traffic) {
  genie_remote_session_t *session = (genie_remote_session_t *)base;
  const genie_plan_t *plan = base->model->plan;
  const genie_plan_entry_t *record = &plan->entries[entry];
  if (!evaluate_last_run(session, entry)) {
    return GENIE_OK;
  }
  if (edge->is_transfer) {
    traffic->planned_bytes = (uint64_t)session->values[plan->transfers[edge->transfer].bytes_expr];
    return count_transfer(session, edge->transfer, traffic);
  }
  const uint32_t tensor = edge->binding < record->input_count
                              ? genie_plan_input(plan, entry, edge->binding)
                              : genie_plan_output(plan, entry, edge->binding - record->input_count);
  traffic->planned_bytes = genie_dtype_bytes((genie_dtype_t)plan->tensors[tensor].dtype);
  for (uint32_t i = 0; i < plan->tensors[tensor].rank; ++i) {
    traffic->planned_bytes *= (uint64_t)session->values[plan->indices[plan->tensors[tensor].first_dim + i]];
  }
  pthread_mutex_lock(&session->mutex);
  traffic->last_bytes = session->counts[tensor].last_bytes;
  traffic->total_bytes = session->counts[tensor].total_bytes;
  pthread_mutex_unlock(&session->mutex);
  return GENIE_OK;
}
