#include "compiler/explain.h"

#include <string.h>

#include "compiler/explain_placement.h"
#include "ir/place.h"
#include "passes/cost/cost_model.h"
#include "passes/graph/pointer_map.h"

enum { TEXT_BYTES = 256, PLACE_BYTES = 96 };

typedef struct edge {
  char value[TEXT_BYTES], phase[64];
  char producer[TEXT_BYTES], consumer[TEXT_BYTES];  // modules; "" for the caller
  char reason[TEXT_BYTES];
  int from, to;  // places, -1 for the caller
  double bytes;
  double send_ns;  // 0 for what the caller sends and receives over a link that is not in the pool
} edge_t;

typedef struct place_sums {
  int kernel_count;
  double weight_bytes;
  genie_pointer_map_t weights;  // that are counted
  double compute_ns;
} place_sums_t;

typedef struct explanation {
  MlirModule module;
  genie_cost_machine_t machine;
  bool is_json;
  FILE *out;
  place_sums_t places[GENIE_IR_MAX_PLACES];
  double crossing_bytes, caller_bytes, send_ns;  // of the current entry
  json_t *edges;                                 // of the current entry, with JSON
} explanation_t;

//===-- Reading the IR --------------------------------------------------------------------------------------------===//

static MlirStringRef annotation_of(MlirOperation op, const char *name) {
  const MlirAttribute value = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(name));
  return !mlirAttributeIsNull(value) && mlirAttributeIsAString(value) ? mlirStringAttrGetValue(value)
                                                                      : mlirStringRefCreateFromCString("");
}

// Cut, where it must be, between two characters of UTF-8.
static void copy_text(MlirStringRef text, size_t capacity, char *out_text) {
  size_t length = text.length < capacity ? text.length : capacity - 1;
  while (length > 0 && length < text.length && (text.data[length] & 0xc0) == 0x80) {
    --length;
  }
  snprintf(out_text, capacity, "%.*s", (int)length, text.data);
}

static void describe_module(MlirOperation op, char out_text[TEXT_BYTES]) {
  copy_text(annotation_of(op, "genie.module"), TEXT_BYTES, out_text);
  if (out_text[0] == '\0') {
    const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
    copy_text(name, TEXT_BYTES, out_text);
  }
}

static bool is_transfer(MlirOperation op) {
  return genie_op_is(op, "genie.transfer");
}

// Who made it, not who handed it on.
static void describe_producer(MlirValue value, char out_text[TEXT_BYTES]) {
  while (mlirValueIsAOpResult(value) && is_transfer(mlirOpResultGetOwner(value))) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
  }
  if (mlirValueIsAOpResult(value)) {
    describe_module(mlirOpResultGetOwner(value), out_text);
  }
}

// The reader that comes first: use lists are in no order that means something, blocks are.
static MlirOperation find_consumer(MlirValue value) {
  MlirOperation first = {NULL};
  for (MlirOpOperand use = mlirValueGetFirstUse(value); !mlirOpOperandIsNull(use); use = mlirOpOperandGetNextUse(use)) {
    const MlirOperation user = mlirOpOperandGetOwner(use);
    if (mlirOperationIsNull(first) || mlirOperationIsBeforeInBlock(user, first)) {
      first = user;
    }
  }
  return first;
}

static void describe_consumer(MlirValue value, char out_text[TEXT_BYTES]) {
  MlirOperation consumer = find_consumer(value);
  while (!mlirOperationIsNull(consumer) && is_transfer(consumer)) {
    consumer = find_consumer(mlirOperationGetResult(consumer, 0));
  }
  if (!mlirOperationIsNull(consumer)) {
    describe_module(consumer, out_text);
  }
}

static void name_place(const explanation_t *explanation, int place, char out_text[PLACE_BYTES]) {
  if (place < 0) {
    snprintf(out_text, PLACE_BYTES, "caller");
    return;
  }
  copy_text(genie_ir_place_name(explanation->module, place), PLACE_BYTES, out_text);
  if (out_text[0] == '\0') {
    snprintf(out_text, PLACE_BYTES, "local");
  }
}

//===-- Edges -----------------------------------------------------------------------------------------------------===//

static void print_edge(explanation_t *explanation, const edge_t *edge) {
  char from[PLACE_BYTES], to[PLACE_BYTES];
  name_place(explanation, edge->from, from);
  name_place(explanation, edge->to, to);
  if (explanation->is_json) {
    json_array_append_new(
        explanation->edges,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:f}", "value", edge->value, "from", from, "to", to,
                  "phase", edge->phase, "producer", edge->producer, "consumer", edge->consumer, "reason", edge->reason,
                  "bytes", (json_int_t)edge->bytes, "predicted_ms", edge->send_ns * 1e-6));
    return;
  }
  fprintf(explanation->out, "  %-14s %-14s %12.0f B %9.3f ms  %-10s %s", from, to, edge->bytes, edge->send_ns * 1e-6,
          edge->phase[0] == '\0' ? "-" : edge->phase, edge->value);
  if (edge->producer[0] != '\0' || edge->consumer[0] != '\0') {
    fprintf(explanation->out, "  (%s -> %s)", edge->producer[0] == '\0' ? "caller" : edge->producer,
            edge->consumer[0] == '\0' ? "caller" : edge->consumer);
  }
  fprintf(explanation->out, "  %s", edge->reason);
  fputc('\n', explanation->out);
}

static void add_edge(explanation_t *explanation, edge_t *edge) {
  if (edge->from >= 0 && edge->to >= 0) {
    edge->send_ns = genie_cost_transfer_ns(&explanation->machine, edge->from, edge->to, edge->bytes);
    explanation->crossing_bytes += edge->bytes;
    explanation->send_ns += edge->send_ns;
  } else {
    const genie_cost_link_t *link =
        edge->from < 0 ? &explanation->machine.from_client[edge->to] : &explanation->machine.to_client[edge->from];
    edge->send_ns = link->is_measured ? link->latency_ns + 1e9 * edge->bytes / link->bytes_per_s : 0;
    explanation->caller_bytes += edge->bytes;
  }
  print_edge(explanation, edge);
}

static void add_inputs(explanation_t *explanation, MlirOperation function, MlirBlock body) {
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    const MlirValue argument = mlirBlockGetArgument(body, i);
    if (genie_ir_argument_role(function, i, &name) == GENIE_IR_ARGUMENT_INPUT) {
      edge_t edge = {
          .from = -1, .to = genie_ir_value_place(argument), .bytes = genie_value_maximum_bytes(function, argument)};
      copy_text(name, sizeof edge.value, edge.value);
      snprintf(edge.reason, sizeof edge.reason, "an input, to its first reader");
      describe_consumer(argument, edge.consumer);
      add_edge(explanation, &edge);
    }
  }
}

static void add_transfer(explanation_t *explanation, MlirOperation function, MlirOperation op) {
  const MlirValue value = mlirOperationGetOperand(op, 0);
  edge_t edge = {.from = genie_ir_value_place(value),
                 .to = genie_ir_place(op),
                 .bytes = genie_value_maximum_bytes(function, value)};
  copy_text(annotation_of(op, "genie.value"), sizeof edge.value, edge.value);
  copy_text(annotation_of(op, "genie.phase"), sizeof edge.phase, edge.phase);
  copy_text(annotation_of(op, "genie.reason"), sizeof edge.reason, edge.reason);
  describe_producer(value, edge.producer);
  describe_consumer(mlirOperationGetResult(op, 0), edge.consumer);
  add_edge(explanation, &edge);
}

static void add_outputs(explanation_t *explanation, MlirOperation function, MlirOperation terminator) {
  const MlirAttribute all = mlirOperationGetAttributeByName(function, mlirStringRefCreateFromCString("res_attrs"));
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(terminator); ++i) {
    const MlirValue value = mlirOperationGetOperand(terminator, i);
    edge_t edge = {.from = genie_ir_value_place(value), .to = -1, .bytes = genie_value_maximum_bytes(function, value)};
    snprintf(edge.value, sizeof edge.value, "output_%d", (int)i);
    snprintf(edge.reason, sizeof edge.reason, "an output, from where it is made");
    if (!mlirAttributeIsNull(all)) {
      const MlirAttribute name = mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(all, i),
                                                                    mlirStringRefCreateFromCString("genie.output"));
      if (!mlirAttributeIsNull(name) && mlirAttributeIsAString(name)) {
        copy_text(mlirStringAttrGetValue(name), sizeof edge.value, edge.value);
      }
    }
    describe_producer(value, edge.producer);
    add_edge(explanation, &edge);
  }
}

//===-- Places ----------------------------------------------------------------------------------------------------===//

// A weight is at a place once, however many kernels read it.
static genie_status_t sum_weights(place_sums_t *sums, MlirOperation function, MlirOperation op) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const MlirValue operand = mlirOperationGetOperand(op, i);
    if (genie_ir_is_compile_time(operand) && genie_pointer_map_get(&sums->weights, operand.ptr) < 0) {
      sums->weight_bytes += genie_value_maximum_bytes(function, operand);
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&sums->weights, operand.ptr, 1));
    }
  }
  return GENIE_OK;
}

static genie_status_t sum_kernel(explanation_t *explanation, MlirOperation function, MlirOperation op) {
  place_sums_t *sums = &explanation->places[genie_ir_place(op)];
  ++sums->kernel_count;
  sums->compute_ns += genie_ir_has(op, "genie.cost_ns") ? (double)genie_ir_i64(op, "genie.cost_ns") : 0;
  return sum_weights(sums, function, op);
}

static genie_status_t sum_kernels(explanation_t *explanation) {
  MlirOperation function = mlirBlockGetFirstOperation(mlirModuleGetBody(explanation->module));
  for (; !mlirOperationIsNull(function); function = mlirOperationGetNextInBlock(function)) {
    if (!genie_op_is(function, "func.func")) {
      continue;
    }
    const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
    for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
         op = mlirOperationGetNextInBlock(op)) {
      if (genie_op_is(op, "genie.kernel")) {
        GENIE_RETURN_IF_ERROR(sum_kernel(explanation, function, op));
      }
    }
  }
  return GENIE_OK;
}

static void print_places(const explanation_t *explanation, json_t *report) {
  json_t *rows = explanation->is_json ? json_array() : NULL;
  for (int i = 0; i < genie_ir_place_count(explanation->module); ++i) {
    char name[PLACE_BYTES];
    const place_sums_t *sums = &explanation->places[i];
    name_place(explanation, i, name);
    if (explanation->is_json) {
      json_array_append_new(
          rows, json_pack("{s:s, s:i, s:I, s:f, s:b}", "name", name, "kernels", sums->kernel_count, "weight_bytes",
                          (json_int_t)sums->weight_bytes, "predicted_ms", sums->compute_ns * 1e-6, "is_measured",
                          (int)explanation->machine.places[i].is_measured));
    } else {
      fprintf(explanation->out, "place %-14s %5d kernels %14.0f B of weights %9.3f ms predicted%s\n", name,
              sums->kernel_count, sums->weight_bytes, sums->compute_ns * 1e-6,
              explanation->machine.places[i].is_measured ? "" : " from typical figures");
    }
  }
  if (explanation->is_json) {
    json_object_set_new(report, "places", rows);
  }
}

//===-- Entries ---------------------------------------------------------------------------------------------------===//

static void print_totals(const explanation_t *explanation, MlirStringRef name, json_t *entries) {
  if (explanation->is_json) {
    json_array_append_new(
        entries, json_pack("{s:s%, s:o, s:I, s:I, s:f}", "name", name.data, name.length, "edges", explanation->edges,
                           "crossing_bytes", (json_int_t)explanation->crossing_bytes, "caller_bytes",
                           (json_int_t)explanation->caller_bytes, "transfer_ms", explanation->send_ns * 1e-6));
    return;
  }
  fprintf(explanation->out, "  total: %.0f B between places, %.3f ms predicted; %.0f B from and to the caller\n",
          explanation->crossing_bytes, explanation->send_ns * 1e-6, explanation->caller_bytes);
}

static void explain_entry(explanation_t *explanation, MlirOperation function, json_t *entries) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
  const MlirStringRef name = annotation_of(function, "sym_name");
  explanation->crossing_bytes = explanation->caller_bytes = explanation->send_ns = 0;
  if (explanation->is_json) {
    explanation->edges = json_array();
  } else {
    fprintf(explanation->out, "entry %.*s\n", (int)name.length, name.data);
    genie_explain_placement_print(function, explanation->out);
  }
  add_inputs(explanation, function, body);
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.transfer")) {
      add_transfer(explanation, function, op);
    }
  }
  add_outputs(explanation, function, mlirBlockGetTerminator(body));
  print_totals(explanation, name, entries);
  json_t *placement = explanation->is_json ? genie_explain_placement_make(function) : NULL;
  if (placement != NULL) {
    json_object_set_new(json_array_get(entries, json_array_size(entries) - 1), "placement", placement);
  }
}

// `report` and `entries` take what is said as JSON, without it the text goes to `out`.
static genie_status_t explain(explanation_t *explanation, json_t *report, json_t *entries) {
  GENIE_RETURN_IF_ERROR(genie_cost_machine_read(explanation->module, &explanation->machine));
  for (int i = 0; i < GENIE_IR_MAX_PLACES; ++i) {
    genie_pointer_map_init(&explanation->places[i].weights);
  }
  const genie_status_t summed = sum_kernels(explanation);
  for (int i = 0; i < GENIE_IR_MAX_PLACES; ++i) {
    genie_pointer_map_deinit(&explanation->places[i].weights);
  }
  GENIE_RETURN_IF_ERROR(summed);
  print_places(explanation, report);
  MlirOperation op = mlirBlockGetFirstOperation(mlirModuleGetBody(explanation->module));
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "func.func")) {
      explain_entry(explanation, op, entries);
    }
  }
  return GENIE_OK;
}

genie_status_t genie_explain_make_report(MlirModule module, json_t **out_report) {
  explanation_t explanation = {.module = module, .is_json = true};
  json_t *report = json_object();
  json_t *entries = json_array();
  const genie_status_t status = explain(&explanation, report, entries);
  json_object_set_new(report, "entries", entries);
  if (status != GENIE_OK) {
    json_decref(report);
    return status;
  }
  *out_report = report;
  return GENIE_OK;
}

genie_status_t genie_explain_print(MlirModule module, bool is_json, FILE *out) {
  if (!is_json) {
    explanation_t explanation = {.module = module, .out = out};
    return explain(&explanation, NULL, NULL);
  }
  json_t *report = NULL;
  GENIE_RETURN_IF_ERROR(genie_explain_make_report(module, &report));
  json_dumpf(report, out, JSON_COMPACT);
  json_decref(report);
  return GENIE_OK;
}
