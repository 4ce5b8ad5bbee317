// What crosses: the edges of the traffic contract and what was counted on each.
#include "runtime/exec/traffic.h"

#include "runtime/exec/session.h"

static uint32_t count_transfers(const genie_plan_t *plan, uint32_t entry) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < plan->transfer_count; ++i) {
    count += plan->transfers[i].entry == entry;
  }
  return count;
}

static uint32_t find_transfer(const genie_plan_t *plan, uint32_t entry, uint32_t position) {
  for (uint32_t i = 0;; ++i) {
    if (plan->transfers[i].entry == entry && position-- == 0) {
      return i;
    }
  }
}

// The bound of what is sent: the verifier has found the only SEND.
static uint64_t bound_transfer(const genie_plan_t *plan, uint32_t transfer) {
  const genie_plan_entry_t *entry = &plan->entries[plan->transfers[transfer].entry];
  for (uint32_t i = entry->first_instruction;; ++i) {
    if (plan->instructions[i].opcode == GENIE_PLAN_OPCODE_SEND && plan->instructions[i].b == transfer) {
      return plan->slices[plan->instructions[i].a].maximum_bytes;
    }
  }
}

static void describe_binding(const genie_plan_t *plan, uint32_t tensor, bool is_input, genie_session_traffic_t *edge) {
  const genie_plan_tensor_t *record = &plan->tensors[tensor];
  const char *place = genie_plan_string(plan, plan->places[record->place].name);
  *edge = (genie_session_traffic_t){
      .name = genie_plan_string(plan, record->name),
      .phase = "",
      .source = is_input ? "" : place,
      .destination = is_input ? place : "",
      .maximum_bytes = record->maximum_bytes,
  };
}

static void describe_transfer(const genie_plan_t *plan, uint32_t transfer, genie_session_traffic_t *edge) {
  const genie_plan_transfer_t *record = &plan->transfers[transfer];
  *edge = (genie_session_traffic_t){
      .name = genie_plan_string(plan, record->name),
      .phase = genie_plan_string(plan, record->phase),
      .source = genie_plan_string(plan, plan->places[record->source_place].name),
      .destination = genie_plan_string(plan, plan->places[record->destination_place].name),
      .maximum_bytes = bound_transfer(plan, transfer),
  };
}

uint32_t genie_traffic_count(const genie_plan_t *plan, uint32_t entry) {
  return plan->entries[entry].input_count + count_transfers(plan, entry) + plan->entries[entry].output_count;
}

genie_traffic_edge_t genie_traffic_edge_at(const genie_plan_t *plan, uint32_t entry, uint32_t index) {
  const uint32_t input_count = plan->entries[entry].input_count;
  const uint32_t transfer_count = count_transfers(plan, entry);
  if (index < input_count) {
    return (genie_traffic_edge_t){.binding = index};
  }
  if (index < input_count + transfer_count) {
    return (genie_traffic_edge_t){.is_transfer = true, .transfer = find_transfer(plan, entry, index - input_count)};
  }
  return (genie_traffic_edge_t){.binding = index - transfer_count};
}

void genie_traffic_describe(const genie_plan_t *plan, uint32_t entry, uint32_t index,
                            genie_session_traffic_t *out_edge) {
  const genie_traffic_edge_t edge = genie_traffic_edge_at(plan, entry, index);
  const uint32_t input_count = plan->entries[entry].input_count;
  if (edge.is_transfer) {
    describe_transfer(plan, edge.transfer, out_edge);
  } else if (edge.binding < input_count) {
    describe_binding(plan, genie_plan_input(plan, entry, edge.binding), true, out_edge);
  } else {
    describe_binding(plan, genie_plan_output(plan, entry, edge.binding - input_count), false, out_edge);
  }
}

// ---- Sessions ----

uint32_t genie_session_traffic_count(const genie_session_t *session, uint32_t entry) {
  return entry < session->model->plan->entry_count ? genie_traffic_count(session->model->plan, entry) : 0;
}

static void count_here(const genie_program_t *program, const genie_traffic_edge_t *edge,
                       genie_session_traffic_t *traffic) {
  if (program->run_count == 0) {
    return;
  }
  const genie_transfer_count_t *count =
      edge->is_transfer ? &program->transfers[edge->transfer] : &program->caller_counts[edge->binding];
  traffic->planned_bytes = edge->is_transfer
                               ? (uint64_t)program->values[program->plan->transfers[edge->transfer].bytes_expr]
                               : genie_program_binding_bytes(program, edge->binding);
  traffic->last_bytes = count->received_bytes;
  traffic->total_bytes = count->total_bytes;
}

genie_status_t genie_session_traffic(const genie_session_t *session, uint32_t entry, uint32_t index,
                                     genie_session_traffic_t *out_traffic) {
  const genie_plan_t *plan = session->model->plan;
  const uint32_t count = genie_session_traffic_count(session, entry);
  if (index >= count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "edge %u of entry %u: there are %u", index, entry, count);
  }
  genie_traffic_describe(plan, entry, index, out_traffic);
  const genie_traffic_edge_t edge = genie_traffic_edge_at(plan, entry, index);
  if (session->ops == NULL) {
    count_here(&session->programs[entry], &edge, out_traffic);
    return GENIE_OK;
  }
  return session->ops->count_traffic != NULL
             ? session->ops->count_traffic(session, entry, &edge, out_traffic)
             : genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "traffic is not counted over nodes");
}
