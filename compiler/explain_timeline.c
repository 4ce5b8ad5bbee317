#include "compiler/explain_timeline.h"

#include <string.h>

#include "compiler/explain_text.h"
#include "ir/place.h"

enum { OPS_BYTES = 240 };

typedef struct wire {
  double free_ns;  // when it has carried all that it was given
} wire_t;

typedef struct timeline {
  const genie_explain_entry_t *entry;
  const genie_cost_machine_t *machine;
  double clock_ns[GENIE_COST_MAX_PLACES];
  wire_t links[GENIE_COST_MAX_PLACES][GENIE_COST_MAX_PLACES];
  wire_t from_client[GENIE_COST_MAX_PLACES], to_client[GENIE_COST_MAX_PLACES];
  int input_count, transfer_count;
  json_t *instructions, *edges;
  MlirOperation kernel;  // the next of the function, or null
} timeline_t;

static MlirBlock body_of(MlirOperation op) {
  return mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
}

static MlirOperation next_kernel(MlirOperation op) {
  while (!mlirOperationIsNull(op) && !genie_op_is(op, "genie.kernel")) {
    op = mlirOperationGetNextInBlock(op);
  }
  return op;
}

//===-- Links -----------------------------------------------------------------------------------------------------===//

static double edge_bytes(const timeline_t *timeline, int edge) {
  return (double)json_integer_value(json_object_get(json_array_get(timeline->entry->edges, (size_t)edge), "bytes"));
}

static void note_edge(timeline_t *timeline, int edge, double start_ns, double end_ns) {
  json_array_set_new(timeline->edges, (size_t)edge, json_pack("{s:f, s:f}", "start_ns", start_ns, "end_ns", end_ns));
}

// Gives an edge to its link at `now_ns`; returns when its bytes are on the other side.
static double carry(timeline_t *timeline, int edge, const genie_cost_link_t *link, wire_t *wire, double now_ns) {
  const double start_ns = wire->free_ns > now_ns ? wire->free_ns : now_ns;
  wire->free_ns = start_ns + 1e9 * edge_bytes(timeline, edge) / link->bytes_per_s;
  const double end_ns = wire->free_ns + link->latency_ns;
  note_edge(timeline, edge, start_ns, end_ns);
  return end_ns;
}

static double carry_for_client(timeline_t *timeline, int edge, const genie_cost_link_t *link, wire_t *wire,
                               double now_ns) {
  if (link->is_measured) {
    return carry(timeline, edge, link, wire, now_ns);
  }
  note_edge(timeline, edge, now_ns, now_ns);
  return now_ns;
}

// A place starts when all that the caller gives it is there.
static void deliver_inputs(timeline_t *timeline) {
  const MlirBlock body = body_of(timeline->entry->function);
  int edge = 0;
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    if (genie_ir_argument_role(timeline->entry->function, i, &name) != GENIE_IR_ARGUMENT_INPUT) {
      continue;
    }
    const int place = genie_ir_value_place(mlirBlockGetArgument(body, i));
    const double end_ns =
        carry_for_client(timeline, edge++, &timeline->machine->from_client[place], &timeline->from_client[place], 0);
    timeline->clock_ns[place] = end_ns > timeline->clock_ns[place] ? end_ns : timeline->clock_ns[place];
  }
}

static double collect_outputs(timeline_t *timeline) {
  const MlirOperation terminator = mlirBlockGetTerminator(body_of(timeline->entry->function));
  const int first = timeline->input_count + timeline->transfer_count;
  double latency_ns = 0;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(terminator); ++i) {
    const int place = genie_ir_value_place(mlirOperationGetOperand(terminator, i));
    const double end_ns = carry_for_client(timeline, first + (int)i, &timeline->machine->to_client[place],
                                           &timeline->to_client[place], timeline->clock_ns[place]);
    latency_ns = end_ns > latency_ns ? end_ns : latency_ns;
  }
  for (int i = 0; i < timeline->machine->place_count; ++i) {
    latency_ns = timeline->clock_ns[i] > latency_ns ? timeline->clock_ns[i] : latency_ns;
  }
  return latency_ns;
}

//===-- Instructions ----------------------------------------------------------------------------------------------===//

// "linear, gelu, add": what a kernel computes.
static void describe_ops(MlirOperation kernel, char out_text[OPS_BYTES], int *out_count) {
  size_t length = 0;
  *out_count = 0;
  out_text[0] = '\0';
  for (MlirOperation op = mlirBlockGetFirstOperation(body_of(kernel)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
    if (genie_op_is(op, "genie.yield") || name.length < strlen("genie.")) {
      continue;
    }
    if (length < OPS_BYTES) {
      length += (size_t)snprintf(out_text + length, OPS_BYTES - length, "%s%.*s", *out_count > 0 ? ", " : "",
                                 (int)(name.length - strlen("genie.")), name.data + strlen("genie."));
    }
    ++*out_count;
  }
}

static genie_status_t add_kernel(timeline_t *timeline, MlirOperation instruction, json_t *row, double *clock_ns) {
  const MlirOperation kernel = timeline->kernel;
  if (mlirOperationIsNull(kernel)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "the plan launches more kernels than the module has");
  }
  timeline->kernel = next_kernel(mlirOperationGetNextInBlock(kernel));
  char ops[OPS_BYTES];
  int op_count = 0;
  describe_ops(kernel, ops, &op_count);
  json_object_set_new(row, "kernel", genie_explain_text(instruction, "kernel"));
  json_object_set_new(row, "family", genie_explain_text(kernel, "family"));
  json_object_set_new(row, "module", genie_explain_text(kernel, "genie.module"));
  json_object_set_new(row, "phase", genie_explain_text(kernel, "genie.phase"));
  json_object_set_new(row, "modality", genie_explain_text(kernel, "genie.modality"));
  json_object_set_new(row, "ops", json_string(ops));
  json_object_set_new(row, "op_count", json_integer(op_count));
  *clock_ns += genie_ir_has(kernel, "genie.cost_ns") ? (double)genie_ir_i64(kernel, "genie.cost_ns") : 0;
  return GENIE_OK;
}

static genie_status_t add_message(timeline_t *timeline, MlirOperation instruction, json_t *row, double *clock_ns) {
  const int transfer = (int)genie_ir_i64(instruction, "transfer") - timeline->entry->first_transfer;
  const int edge = timeline->input_count + transfer;
  MlirOperation record = mlirBlockGetFirstOperation(body_of(timeline->entry->plan));
  for (int count = 0; !mlirOperationIsNull(record); record = mlirOperationGetNextInBlock(record)) {
    if (genie_op_is(record, "gplan.transfer") && count++ == transfer) {
      break;
    }
  }
  if (mlirOperationIsNull(record)) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "the plan has no transfer %d", transfer);
  }
  json_object_set_new(row, "edge", json_integer(edge));
  const int from = (int)genie_ir_i64(record, "source");
  const int to = (int)genie_ir_i64(record, "destination");
  if (genie_op_is(instruction, "gplan.send")) {
    carry(timeline, edge, &timeline->machine->links[from][to], &timeline->links[from][to], *clock_ns);
    return GENIE_OK;
  }
  const json_t *sent = json_array_get(timeline->edges, (size_t)edge);
  const double arrival_ns = json_real_value(json_object_get(sent, "end_ns"));
  *clock_ns = arrival_ns > *clock_ns ? arrival_ns : *clock_ns;
  return GENIE_OK;
}

static void add_copy(const timeline_t *timeline, MlirOperation instruction, int place, double *clock_ns) {
  const MlirOperation source = mlirOpResultGetOwner(mlirOperationGetOperand(instruction, 0));
  *clock_ns += 2e9 * (double)genie_ir_i64(source, "maximum") / timeline->machine->places[place].memory_bytes_per_s;
}

static genie_status_t add_instruction(timeline_t *timeline, MlirOperation op, const char *kind) {
  const int place = (int)genie_ir_i64(op, "place");
  if (place < 0 || place >= timeline->machine->place_count) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "an instruction is at place %d", place);
  }
  double *clock_ns = &timeline->clock_ns[place];
  json_t *row = json_pack("{s:s, s:i, s:f}", "kind", kind, "place", place, "start_ns", *clock_ns);
  json_array_append_new(timeline->instructions, row);
  if (strcmp(kind, "launch") == 0 || strcmp(kind, "library_call") == 0) {
    GENIE_RETURN_IF_ERROR(add_kernel(timeline, op, row, clock_ns));
  } else if (strcmp(kind, "send") == 0 || strcmp(kind, "receive") == 0) {
    GENIE_RETURN_IF_ERROR(add_message(timeline, op, row, clock_ns));
  } else if (strcmp(kind, "copy") == 0) {
    add_copy(timeline, op, place, clock_ns);
  }
  json_object_set_new(row, "end_ns", json_real(*clock_ns));
  return GENIE_OK;
}

static genie_status_t run(timeline_t *timeline) {
  for (MlirOperation op = mlirBlockGetFirstOperation(body_of(timeline->entry->plan)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    const char *kind = genie_explain_instruction_kind(op);
    if (kind != NULL) {
      GENIE_RETURN_IF_ERROR(add_instruction(timeline, op, kind));
    }
  }
  return mlirOperationIsNull(timeline->kernel)
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INTERNAL, "the plan launches fewer kernels than the module has");
}

static genie_status_t count_edges(timeline_t *timeline) {
  const genie_explain_entry_t *entry = timeline->entry;
  const MlirBlock body = body_of(entry->function);
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    timeline->input_count += genie_ir_argument_role(entry->function, i, &name) == GENIE_IR_ARGUMENT_INPUT;
  }
  timeline->transfer_count = genie_explain_transfer_count(entry->plan);
  const size_t count = (size_t)timeline->input_count + (size_t)timeline->transfer_count +
                       (size_t)mlirOperationGetNumOperands(mlirBlockGetTerminator(body));
  if (json_array_size(entry->edges) != count) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "%zu edges are explained, the plan has %zu",
                             json_array_size(entry->edges), count);
  }
  for (size_t i = 0; i < count; ++i) {
    json_array_append_new(timeline->edges, json_null());
  }
  return GENIE_OK;
}

genie_status_t genie_explain_timeline_make(const genie_explain_entry_t *entry, const genie_cost_machine_t *machine,
                                           json_t *out_entry) {
  timeline_t timeline = {
      .entry = entry, .machine = machine, .instructions = json_array(), .edges = json_array(), .kernel = {NULL}};
  json_object_set_new(out_entry, "instructions", timeline.instructions);
  json_object_set_new(out_entry, "edges", timeline.edges);
  timeline.kernel = next_kernel(mlirBlockGetFirstOperation(body_of(entry->function)));
  GENIE_RETURN_IF_ERROR(count_edges(&timeline));
  deliver_inputs(&timeline);
  GENIE_RETURN_IF_ERROR(run(&timeline));
  json_object_set_new(out_entry, "latency_ns", json_real(collect_outputs(&timeline)));
  return GENIE_OK;
}
