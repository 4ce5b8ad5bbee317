#include "passes/place/place_problem.h"

#include <string.h>

#include "ir/place.h"
#include "passes/graph/pointer_map.h"
#include "passes/place/micro_batch.h"

// Inputs of a call that are smaller reach every place with the call itself; nothing waits for them.
static const double kFreeInputBytes = 64 * 1024;
// A result that follows from inputs alone and is smaller is computed again where it is read.
static const double kFreeResultBytes = 1024 * 1024;
// Weights beyond this are not carried to several places for that.
static const double kFreeWeightBytes = 64 * 1024;
// Of the bytes that an op which only moves reads and writes, the part that remains when it has joined a kernel.
static const double kFusedPart = 0.3;

typedef struct maker {
  genie_place_problem_t *problem;
  genie_op_list_t list;
  genie_pointer_map_t node_of_op;    // ops that are nodes
  genie_pointer_map_t value_of_key;  // root values to numbers of placement values
  bool *is_free;                     // [list.count] computed where it is read
  genie_pointer_map_t index_of_op;   // into `list`
  genie_placement_value_t *values;
  uint32_t value_count, value_capacity;
  uint32_t *inputs;
  uint32_t input_count, input_capacity;
  uint32_t *first_input;
  uint32_t node_count;
  bool *has_reader;  // [node_count]
} maker_t;

// What `value` looks at, and the fewest bytes on the way to it.
static MlirValue root_of(MlirOperation function, MlirValue value, double *out_bytes) {
  *out_bytes = genie_value_maximum_bytes(function, value);
  while (mlirValueIsAOpResult(value) && genie_rewrite_is_view(mlirOpResultGetOwner(value))) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
    const double bytes = genie_value_maximum_bytes(function, value);
    *out_bytes = bytes < *out_bytes ? bytes : *out_bytes;
  }
  return value;
}

static genie_ir_argument_role_t role_of(MlirOperation function, MlirValue argument) {
  MlirStringRef name;
  return genie_ir_argument_role(function, mlirBlockArgumentGetArgNumber(argument), &name);
}

static bool is_input(MlirOperation function, MlirValue root) {
  return mlirValueIsABlockArgument(root) && role_of(function, root) == GENIE_IR_ARGUMENT_INPUT;
}

static bool is_state(MlirOperation function, MlirValue root) {
  return mlirValueIsABlockArgument(root) && role_of(function, root) == GENIE_IR_ARGUMENT_STATE;
}

bool genie_place_problem_is_state(const genie_place_problem_t *problem, MlirValue value) {
  return is_state(problem->function, value);
}

uint32_t genie_place_problem_find(const genie_place_problem_t *problem, MlirOperation op) {
  for (uint32_t node = 1; node + 1 < problem->placement.node_count; ++node) {
    if (mlirOperationEqual(problem->ops[node], op)) {
      return node;
    }
  }
  return GENIE_PLACEMENT_NONE;
}

// Whether an op is recomputed wherever it is read: it follows from inputs of the call and constants by little work.
static bool follows_cheaply(const maker_t *maker, MlirOperation op) {
  const MlirOperation function = maker->problem->function;
  const genie_cost_work_t work = genie_cost_work_of(op);
  if ((work.class != GENIE_COST_CLASS_MOVE && work.class != GENIE_COST_CLASS_ROW) ||
      work.weight_bytes > kFreeWeightBytes) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    double bytes;
    const MlirValue operand = mlirOperationGetOperand(op, i);
    const MlirValue root = root_of(function, operand, &bytes);
    if (genie_ir_is_compile_time(root)) {
      if (genie_value_maximum_bytes(function, root) > kFreeWeightBytes) {
        return false;
      }
      continue;
    }
    if (mlirValueIsABlockArgument(root)) {
      if (!is_input(function, root) || genie_value_maximum_bytes(function, root) > kFreeInputBytes) {
        return false;
      }
      continue;
    }
    const int index = genie_pointer_map_get(&maker->index_of_op, mlirOpResultGetOwner(root).ptr);
    if (index < 0 || !maker->is_free[index]) {
      return false;
    }
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    if (genie_value_maximum_bytes(function, mlirOperationGetResult(op, i)) > kFreeResultBytes) {
      return false;
    }
  }
  return true;
}

static bool computes(MlirOperation op) {
  return genie_op_info_get(op) != NULL && mlirOperationGetNumResults(op) > 0 && !genie_rewrite_is_view(op) &&
         !genie_ir_is_compile_time(mlirOperationGetResult(op, 0));
}

static genie_status_t find_nodes(maker_t *maker) {
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(maker->problem->arena, (size_t)maker->list.count + 1, sizeof(bool),
                                             (void **)&maker->is_free));
  maker->node_count = 1;
  for (int i = 0; i < maker->list.count; ++i) {
    const MlirOperation op = maker->list.ops[i];
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&maker->index_of_op, op.ptr, i));
    if (!computes(op)) {
      continue;
    }
    maker->is_free[i] = !genie_ir_has_place(op) && follows_cheaply(maker, op);
    if (!maker->is_free[i]) {
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&maker->node_of_op, op.ptr, (int)maker->node_count));
      maker->node_count += 1;
    }
  }
  maker->node_count += 1;
  return GENIE_OK;
}

static genie_status_t allocate(maker_t *maker) {
  genie_place_problem_t *problem = maker->problem;
  const size_t count = maker->node_count;
  const uint32_t devices = problem->client + 1;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(problem->arena, count, sizeof(MlirOperation), (void **)&problem->ops));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(problem->arena, count * devices, sizeof(int64_t), (void **)&problem->time_ns));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(problem->arena, count * devices, sizeof(int64_t), (void **)&problem->added_ns));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(problem->arena, count, sizeof(uint64_t), (void **)&problem->resident_bytes));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(problem->arena, count, sizeof(uint32_t), (void **)&problem->group));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(problem->arena, count, sizeof(uint32_t), (void **)&problem->pin));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(problem->arena, count, sizeof(bool), (void **)&maker->has_reader));
  return genie_arena_allocate(problem->arena, count + 1, sizeof(uint32_t), (void **)&maker->first_input);
}

// Makes room for one more of `element_bytes` in an array of the arena.
static genie_status_t grow(genie_arena_t *arena, void **array, uint32_t count, uint32_t *capacity,
                           size_t element_bytes) {
  if (count < *capacity) {
    return GENIE_OK;
  }
  const uint32_t larger = *capacity == 0 ? 256 : 2 * *capacity;
  void *grown;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, larger, element_bytes, &grown));
  if (count > 0) {
    memcpy(grown, *array, count * element_bytes);
  }
  *array = grown;
  *capacity = larger;
  return GENIE_OK;
}

static genie_status_t add_value(maker_t *maker, uint32_t producer, double bytes, uint32_t *out_value) {
  GENIE_RETURN_IF_ERROR(grow(maker->problem->arena, (void **)&maker->values, maker->value_count, &maker->value_capacity,
                             sizeof(genie_placement_value_t)));
  *out_value = maker->value_count;
  maker->values[maker->value_count++] = (genie_placement_value_t){
      .producer = producer, .size_bytes = bytes < 1e18 ? (uint64_t)bytes : 1000000000000000000u};
  return GENIE_OK;
}

static genie_status_t add_input(maker_t *maker, uint32_t value) {
  GENIE_RETURN_IF_ERROR(grow(maker->problem->arena, (void **)&maker->inputs, maker->input_count, &maker->input_capacity,
                             sizeof(uint32_t)));
  maker->inputs[maker->input_count++] = value;
  maker->has_reader[maker->values[value].producer] = true;
  return GENIE_OK;
}

// `node` reads `value`. Ops that are computed where they are read need nothing but the call.
static genie_status_t add_read(maker_t *maker, MlirValue value, bool is_return) {
  const MlirOperation function = maker->problem->function;
  double bytes;
  const MlirValue root = root_of(function, value, &bytes);
  int producer = -1;
  if (genie_ir_is_compile_time(root) || is_state(function, root)) {
    return GENIE_OK;
  }
  if (mlirValueIsAOpResult(root)) {
    producer = genie_pointer_map_get(&maker->node_of_op, mlirOpResultGetOwner(root).ptr);
  } else if (is_input(function, root)) {
    bytes = genie_value_maximum_bytes(function, root);  // the caller sends it whole, whatever is read of it
    producer = is_return || bytes > kFreeInputBytes ? 0 : -1;
  }
  if (producer < 0) {
    return GENIE_OK;
  }
  int number = genie_pointer_map_get(&maker->value_of_key, root.ptr);
  if (number < 0) {
    uint32_t added;
    GENIE_RETURN_IF_ERROR(add_value(maker, (uint32_t)producer, bytes, &added));
    number = (int)added;
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&maker->value_of_key, root.ptr, number));
  } else if (bytes > (double)maker->values[number].size_bytes) {
    maker->values[number].size_bytes = (uint64_t)bytes;
  }
  return add_input(maker, (uint32_t)number);
}

static double resident_of(MlirOperation function, MlirOperation op) {
  double bytes = 0;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    double least;
    const MlirValue root = root_of(function, mlirOperationGetOperand(op, i), &least);
    if (genie_ir_is_compile_time(root) || is_state(function, root)) {
      bytes += genie_value_maximum_bytes(function, root);
    }
  }
  return bytes;
}

static int64_t rounded(double ns) {
  return ns < (double)GENIE_PLACEMENT_MAX_NS ? (int64_t)ns : GENIE_PLACEMENT_MAX_NS;
}

static genie_status_t add_node(maker_t *maker, uint32_t node, MlirOperation op, uint32_t start) {
  genie_place_problem_t *problem = maker->problem;
  const uint32_t devices = problem->client + 1;
  problem->ops[node] = op;
  // Micro-batches share the weights of the first.
  const MlirAttribute micro_batch =
      mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString(GENIE_MICRO_BATCH_ATTRIBUTE));
  const bool is_copy = !mlirAttributeIsNull(micro_batch) && mlirIntegerAttrGetValueInt(micro_batch) > 0;
  problem->resident_bytes[node] = is_copy ? 0 : (uint64_t)resident_of(problem->function, op);
  problem->group[node] = GENIE_PLACEMENT_NONE;
  problem->pin[node] = genie_ir_has_place(op) ? (uint32_t)genie_ir_place(op) : GENIE_PLACEMENT_NONE;
  genie_cost_work_t work = genie_cost_work_of(op);
  const bool is_fused = work.class == GENIE_COST_CLASS_MOVE && work.weight_bytes == 0;
  for (uint32_t d = 0; d < problem->client; ++d) {
    double ns = genie_cost_work_ns(&problem->machine->places[d], &work, 1e18);
    if (is_fused) {
      ns = kFusedPart * (ns - problem->machine->places[d].launch_ns);
    }
    problem->time_ns[(size_t)node * devices + d] = rounded(ns);
  }
  problem->time_ns[(size_t)node * devices + problem->client] = GENIE_PLACEMENT_NEVER;
  const uint32_t first = maker->input_count;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    GENIE_RETURN_IF_ERROR(add_read(maker, mlirOperationGetOperand(op, i), false));
  }
  if (maker->input_count == first) {
    GENIE_RETURN_IF_ERROR(add_input(maker, start));
  }
  maker->first_input[node + 1] = maker->input_count;
  return GENIE_OK;
}

static void set_end(genie_place_problem_t *problem, uint32_t node) {
  const uint32_t devices = problem->client + 1;
  for (uint32_t d = 0; d < problem->client; ++d) {
    problem->time_ns[(size_t)node * devices + d] = GENIE_PLACEMENT_NEVER;
  }
  problem->group[node] = problem->pin[node] = GENIE_PLACEMENT_NONE;
}

static genie_status_t add_return(maker_t *maker, MlirOperation terminator) {
  const uint32_t last = maker->node_count - 1;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(terminator); ++i) {
    GENIE_RETURN_IF_ERROR(add_read(maker, mlirOperationGetOperand(terminator, i), true));
  }
  for (uint32_t node = 0; node < last; ++node) {
    if (!maker->has_reader[node]) {
      uint32_t done;
      GENIE_RETURN_IF_ERROR(add_value(maker, node, 0, &done));
      GENIE_RETURN_IF_ERROR(add_input(maker, done));
    }
  }
  maker->first_input[last + 1] = maker->input_count;
  return GENIE_OK;
}

static genie_status_t set_links(genie_place_problem_t *problem) {
  const uint32_t devices = problem->client + 1;
  genie_placement_link_t *links;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(problem->arena, (size_t)devices * devices, sizeof(*links), (void **)&links));
  for (uint32_t from = 0; from < devices; ++from) {
    for (uint32_t to = 0; to < devices; ++to) {
      const genie_cost_link_t *link = from == problem->client ? &problem->machine->from_client[to]
                                      : to == problem->client ? &problem->machine->to_client[from]
                                                              : &problem->machine->links[from][to];
      links[from * devices + to] =
          (genie_placement_link_t){.bytes_per_s = link->bytes_per_s, .latency_ns = rounded(link->latency_ns)};
    }
  }
  problem->placement.links = links;
  return GENIE_OK;
}

static genie_status_t make(maker_t *maker) {
  genie_place_problem_t *problem = maker->problem;
  GENIE_RETURN_IF_ERROR(genie_rewrite_list_ops(genie_rewrite_body(problem->function), problem->arena, &maker->list));
  GENIE_RETURN_IF_ERROR(find_nodes(maker));
  GENIE_RETURN_IF_ERROR(allocate(maker));
  uint32_t start;
  set_end(problem, 0);
  GENIE_RETURN_IF_ERROR(add_value(maker, 0, 0, &start));
  for (int i = 0; i < maker->list.count; ++i) {
    const int node = genie_pointer_map_get(&maker->node_of_op, maker->list.ops[i].ptr);
    if (node >= 0) {
      GENIE_RETURN_IF_ERROR(add_node(maker, (uint32_t)node, maker->list.ops[i], start));
    }
  }
  set_end(problem, maker->node_count - 1);
  GENIE_RETURN_IF_ERROR(add_return(maker, maker->list.ops[maker->list.count - 1]));
  for (uint32_t d = 0; d < problem->client; ++d) {
    problem->memory_limit_bytes[d] = problem->machine->places[d].memory_bytes;
  }
  problem->memory_limit_bytes[problem->client] = 0;
  problem->placement = (genie_placement_problem_t){.device_count = problem->client + 1,
                                                   .memory_limit_bytes = problem->memory_limit_bytes,
                                                   .node_count = maker->node_count,
                                                   .time_ns = problem->time_ns,
                                                   .resident_bytes = problem->resident_bytes,
                                                   .group = problem->group,
                                                   .pin = problem->pin,
                                                   .value_count = maker->value_count,
                                                   .values = maker->values,
                                                   .first_input = maker->first_input,
                                                   .inputs = maker->inputs};
  return set_links(problem);
}

genie_status_t genie_place_problem_make(MlirOperation function, const genie_cost_machine_t *machine,
                                        genie_arena_t *arena, genie_place_problem_t *out_problem) {
  if (machine->place_count + 1 > GENIE_PLACEMENT_MAX_DEVICES) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "placement chooses among at most %d devices, the pool has %d",
                             GENIE_PLACEMENT_MAX_DEVICES - 1, machine->place_count);
  }
  *out_problem = (genie_place_problem_t){
      .function = function, .machine = machine, .arena = arena, .client = (uint32_t)machine->place_count};
  maker_t maker = {.problem = out_problem};
  genie_pointer_map_init(&maker.node_of_op);
  genie_pointer_map_init(&maker.value_of_key);
  genie_pointer_map_init(&maker.index_of_op);
  const genie_status_t status = make(&maker);
  genie_pointer_map_deinit(&maker.node_of_op);
  genie_pointer_map_deinit(&maker.value_of_key);
  genie_pointer_map_deinit(&maker.index_of_op);
  return status;
}

void genie_place_problem_join(genie_place_problem_t *problem, uint32_t a, uint32_t b) {
  const uint32_t keep = problem->group[a];
  const uint32_t drop = problem->group[b];
  if (keep != GENIE_PLACEMENT_NONE && drop != GENIE_PLACEMENT_NONE) {
    for (uint32_t node = 0; keep != drop && node < problem->placement.node_count; ++node) {
      problem->group[node] = problem->group[node] == drop ? keep : problem->group[node];
    }
    return;
  }
  const uint32_t group = keep != GENIE_PLACEMENT_NONE   ? keep
                         : drop != GENIE_PLACEMENT_NONE ? drop
                                                        : problem->group_count++;
  problem->group[a] = problem->group[b] = group;
}
