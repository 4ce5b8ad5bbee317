// Which neighbouring dimensions of a hook's space can be walked as one: where every access has one stride for both.
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel/hook.h"

// Dimension of the trace that each dimension of a value walks; -1 for one that is 1 or that data decides.
typedef struct dim_map {
  int at[GENIE_IR_MAX_RANK];
} dim_map_t;

typedef struct visit {
  MlirValue value;
  dim_map_t map;
} visit_t;

typedef struct visits {
  visit_t *items;
  int count, capacity;
} visits_t;

static void trace_value(genie_trace_t *trace, MlirValue value, dim_map_t map);

static bool is_one(MlirAffineExpr dim) {
  int64_t size = 0;
  return genie_dim_is_constant(dim, &size) && size == 1;
}

void genie_trace_init(genie_lowering_t *lowering, const genie_lower_space_t *space, genie_trace_t *out_trace) {
  *out_trace = (genie_trace_t){.lowering = lowering, .value_rank = space->rank, .visited = calloc(1, sizeof(visits_t))};
  for (int k = 0; k < space->rank; ++k) {
    const int d = space->order[k];
    out_trace->map[d] = -1;
    if (!is_one(space->dims[k])) {
      out_trace->map[d] = out_trace->count;
      out_trace->value_dim[out_trace->count] = d;
      out_trace->dims[out_trace->count++] = space->dims[k];
    }
  }
}

void genie_trace_deinit(genie_trace_t *trace) {
  visits_t *visits = trace->visited;
  if (visits != NULL) {
    free(visits->items);
  }
  free(visits);
  trace->visited = NULL;
}

static bool is_first_visit(genie_trace_t *trace, MlirValue value, int rank, const dim_map_t *map) {
  visits_t *visits = trace->visited;
  if (visits == NULL) {
    return true;
  }
  for (int i = 0; i < visits->count; ++i) {
    if (mlirValueEqual(visits->items[i].value, value) &&
        memcmp(visits->items[i].map.at, map->at, (size_t)rank * sizeof(int)) == 0) {
      return false;
    }
  }
  if (visits->count == visits->capacity) {
    const int capacity = visits->capacity == 0 ? 32 : 2 * visits->capacity;
    visit_t *grown = realloc(visits->items, (size_t)capacity * sizeof(*grown));
    if (grown == NULL) {
      return true;
    }
    visits->items = grown;
    visits->capacity = capacity;
  }
  visits->items[visits->count++] = (visit_t){.value = value, .map = *map};
  return true;
}

// Walked dimension `dim` means something of its own: it joins no neighbour.
static void pin(genie_trace_t *trace, int dim) {
  if (dim >= 0) {
    trace->is_split[dim] = true;
    if (dim > 0) {
      trace->is_split[dim - 1] = true;
    }
  }
}

static void trace_access(genie_trace_t *trace, int rank, const MlirAffineExpr *strides, const int *map) {
  MlirContext context = trace->lowering->context;
  MlirAffineExpr walked[GENIE_IR_MAX_RANK];
  for (int i = 0; i < trace->count; ++i) {
    walked[i] = genie_dim_constant(context, 0);
  }
  for (int d = 0; d < rank; ++d) {
    if (map[d] >= 0) {
      walked[map[d]] = genie_dim_add(walked[map[d]], strides[d]);
    }
  }
  for (int i = 0; i + 1 < trace->count; ++i) {
    MlirAffineExpr whole = genie_dim_mul(walked[i + 1], trace->dims[i + 1]);
    trace->is_split[i] = trace->is_split[i] || !mlirAffineExprEqual(walked[i], whole);
  }
}

void genie_trace_view(genie_trace_t *trace, const genie_strided_view_t *view) {
  trace_access(trace, view->rank, view->strides, trace->map);
}

// `value` broadcast into a value of `rank` dimensions that walks `map`.
static void trace_broadcast(genie_trace_t *trace, MlirValue value, int rank, const dim_map_t *map) {
  const genie_tensor_type_t type = genie_value_type(value);
  dim_map_t own = {{0}};
  for (int d = 0; d < type.rank; ++d) {
    own.at[d] = is_one(type.dims[d]) ? -1 : map->at[d + rank - type.rank];
  }
  trace_value(trace, value, own);
}

void genie_trace_value(genie_trace_t *trace, MlirValue value) {
  dim_map_t map = {{0}};
  memcpy(map.at, trace->map, sizeof(trace->map));
  trace_broadcast(trace, value, trace->value_rank, &map);
}

//===-- Ops -------------------------------------------------------------------------------------------------------===//

static MlirValue result_of(MlirOperation op) {
  return mlirOperationGetResult(op, 0);
}
static int result_rank(MlirOperation op) {
  return genie_value_type(result_of(op)).rank;
}

// All operands at the index of the result.
static void trace_operands(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  const int rank = result_rank(op);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    trace_broadcast(trace, mlirOperationGetOperand(op, i), rank, &map);
  }
}

static void genie_indexed_trace_cast(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_operands(trace, op, map);
}
static void genie_indexed_trace_where(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_operands(trace, op, map);
}
static void genie_indexed_trace_expand(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_operands(trace, op, map);
}

static void genie_indexed_trace_size(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  (void)trace, (void)op, (void)map;
}

static void genie_indexed_trace_constant(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  double number = 0;
  if (!genie_ir_splat_value(result_of(op), &number)) {
    genie_strided_view_t dense;
    genie_strided_dense(mlirValueGetType(result_of(op)), NULL, &dense);
    trace_access(trace, dense.rank, dense.strides, map.at);
  }
}

static void genie_indexed_trace_iota(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  pin(trace, map.at[genie_ir_i64(op, "axis")]);
}

static void genie_indexed_trace_reshape(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  MlirValue operand = mlirOperationGetOperand(op, 0);
  const genie_tensor_type_t to = genie_value_type(result_of(op)), from = genie_value_type(operand);
  dim_map_t own = {{0}};
  genie_reshape_group_t group = {0};
  while (genie_region_next_reshape_group(trace->lowering->context, &to, &from, &group)) {
    const bool is_kept = group.to_last - group.to_first == 1 && group.from_last - group.from_first == 1;
    for (int d = group.to_first; d < group.to_last && !is_kept; ++d) {
      pin(trace, map.at[d]);
    }
    for (int d = group.from_first; d < group.from_last; ++d) {
      own.at[d] = is_kept ? map.at[group.to_first] : -1;
    }
  }
  trace_value(trace, operand, own);
}

static void genie_indexed_trace_permute(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
  dim_map_t own = {{0}};
  for (int d = 0; d < rank; ++d) {
    own.at[permutation[d]] = map.at[d];
  }
  trace_value(trace, mlirOperationGetOperand(op, 0), own);
}

// Ops that treat one axis apart and the others alike. From here on nobody knows what the axis walks.
static void trace_axis(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  const int64_t axis = genie_ir_i64(op, "axis");
  pin(trace, map.at[axis]);
  map.at[axis] = -1;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    trace_value(trace, mlirOperationGetOperand(op, i), map);
  }
}
static void genie_indexed_trace_slice(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_axis(trace, op, map);
}

// A concatenation that the piece cuts reads one operand, where it is walked along the axis of the piece.
static void genie_indexed_trace_concat(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  const genie_hook_piece_t *piece = &trace->lowering->state->piece;
  const int walked = mlirOperationIsNull(piece->concat) ? -1 : trace->map[piece->axis];
  if (walked >= 0 && map.at[genie_ir_i64(op, "axis")] == walked && genie_region_is_cut_alike(trace->lowering, op)) {
    trace_value(trace, mlirOperationGetOperand(op, piece->operand), map);
  } else {
    trace_axis(trace, op, map);
  }
}

static void genie_indexed_trace_slice_scatter(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_axis(trace, op, map);
}

static void genie_indexed_trace_flip(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  for (int i = 0; i < count; ++i) {
    pin(trace, map.at[axes[i]]);
    map.at[axes[i]] = -1;
  }
  trace_value(trace, mlirOperationGetOperand(op, 0), map);
}

static void genie_indexed_trace_pad(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  int64_t low[GENIE_IR_MAX_RANK], high[GENIE_IR_MAX_RANK];
  const int rank = genie_ir_i64_array(op, "low", GENIE_IR_MAX_RANK, low);
  genie_ir_i64_array(op, "high", GENIE_IR_MAX_RANK, high);
  for (int d = 0; d < rank; ++d) {
    if (low[d] != 0 || high[d] != 0) {
      pin(trace, map.at[d]);
      map.at[d] = -1;
    }
  }
  trace_value(trace, mlirOperationGetOperand(op, 0), map);
}

static void genie_indexed_trace_gather(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  trace_value(trace, genie_ir_operand(op, "index"), map);
  map.at[genie_ir_i64(op, "axis")] = -1;
  trace_value(trace, genie_ir_operand(op, "x"), map);
}

static void genie_indexed_trace_take(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  const int64_t axis = genie_ir_i64(op, "axis");
  trace_value(trace, genie_ir_operand(op, "index"), (dim_map_t){{map.at[axis]}});
  map.at[axis] = -1;
  trace_value(trace, genie_ir_operand(op, "x"), map);
}

static void genie_indexed_trace_index(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  MlirValue x = genie_ir_operand(op, "x");
  const int x_rank = genie_value_type(x).rank;
  int64_t axes[GENIE_IR_MAX_RANK];
  const int axis_count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  const int first_axis = (int)axes[0], index_rank = result_rank(op) - (x_rank - axis_count);
  dim_map_t positions = {{0}}, own = {{0}};
  memcpy(positions.at, map.at + first_axis, (size_t)index_rank * sizeof(int));
  for (int d = 0; d < x_rank; ++d) {
    const bool is_indexed = d >= first_axis && d < first_axis + axis_count;
    own.at[d] = is_indexed ? -1 : map.at[d < first_axis ? d : d - axis_count + index_rank];
  }
  intptr_t first, count;
  genie_ir_operand_range(op, "indices", &first, &count);
  for (intptr_t i = 0; i < count; ++i) {
    trace_broadcast(trace, mlirOperationGetOperand(op, first + i), index_rank, &positions);
  }
  trace_value(trace, x, own);
}

static void genie_indexed_trace_embedding(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  const int rank = result_rank(op);
  trace_value(trace, genie_ir_operand(op, "index"), map);
  trace_value(trace, genie_ir_operand(op, "table"), (dim_map_t){{-1, map.at[rank - 1]}});
}

static const struct {
  const char *name;
  void (*trace)(genie_trace_t *trace, MlirOperation op, dim_map_t map);
} indexed_table[] = {
#define GENIE_INDEXED(op) {"genie." #op, genie_indexed_trace_##op},
#include "codegen/kernel/indexed.def"
#undef GENIE_INDEXED
};

static void trace_op(genie_trace_t *trace, MlirOperation op, dim_map_t map) {
  for (size_t i = 0; i < sizeof(indexed_table) / sizeof(indexed_table[0]); ++i) {
    if (genie_op_is(op, indexed_table[i].name)) {
      indexed_table[i].trace(trace, op, map);
      return;
    }
  }
  trace_operands(trace, op, map);
}

static void trace_value(genie_trace_t *trace, MlirValue value, dim_map_t map) {
  const genie_tensor_type_t type = genie_value_type(value);
  for (int d = 0; d < type.rank; ++d) {
    map.at[d] = is_one(type.dims[d]) ? -1 : map.at[d];
  }
  if (!is_first_visit(trace, value, type.rank, &map)) {
    return;
  }
  genie_strided_view_t view;
  if (genie_lower_view(trace->lowering, value, &view) && mlirValueIsABlockArgument(view.root)) {
    trace_access(trace, view.rank, view.strides, map.at);
    return;
  }
  MlirOperation op = mlirOpResultGetOwner(value);
  if (!mlirOperationEqual(op, trace->lowering->anchor)) {
    trace_op(trace, op, map);
  }
}

//===-- Splitting -------------------------------------------------------------------------------------------------===//

// Trace dimensions [first, last) from one linear index: each joined run of them takes its part in its last dimension.
static void split_argument(const genie_trace_t *trace, genie_hook_t *hook, LLVMValueRef linear, int first, int last,
                           LLVMValueRef *out_index) {
  int end = last;
  while (end > first) {
    int begin = end - 1;
    MlirAffineExpr size = trace->dims[begin];
    while (begin > first && !trace->is_split[begin - 1]) {
      --begin;
      size = genie_dim_mul(trace->dims[begin], size);
    }
    LLVMValueRef part = linear;
    if (begin > first) {
      LLVMValueRef divisor = genie_hook_size(hook, size);
      part = LLVMBuildURem(hook->builder, linear, divisor, "");
      linear = LLVMBuildUDiv(hook->builder, linear, divisor, "");
    }
    out_index[trace->value_dim[end - 1]] = part;
    end = begin;
  }
}

void genie_trace_split_index(const genie_trace_t *trace, const genie_lower_space_t *space, genie_hook_t *hook,
                             LLVMValueRef *out_index) {
  for (int d = 0; d < space->rank; ++d) {
    out_index[d] = genie_hook_i64(hook, 0);
  }
  int covered = 0, next = 0;
  for (int a = 0; a < space->arg_count; ++a) {
    const int first = next;
    for (int k = covered; k < covered + space->arg_dims[a]; ++k) {
      next += trace->map[space->order[k]] >= 0;
    }
    covered += space->arg_dims[a];
    split_argument(trace, hook, LLVMGetParam(hook->function, (unsigned)a + 1), first, next, out_index);
  }
  const genie_hook_piece_t *piece = &hook->state->piece;
  if (!mlirOperationIsNull(piece->concat)) {
    out_index[piece->axis] =
        LLVMBuildNSWAdd(hook->builder, genie_hook_size(hook, piece->start), out_index[piece->axis], "");
    hook->piece_index = out_index[piece->axis];
  }
}
