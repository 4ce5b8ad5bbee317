// The family `pointwise`: every element of one iteration space on its own. A concatenation along one of its dimensions
// cuts the space into pieces that are computed one by one.
#include <stdio.h>

#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/lower_transpose.h"

enum {
  MAX_INNER = 16384,  // a longer inner dimension is cut into chunks
  CHUNK = 8192,
  MAX_PIECES = 32,  // as in templates/pointwise_pieces.c
};

// How one space is walked.
typedef struct walk {
  genie_lower_space_t space;
  MlirAffineExpr inner, chunk, chunks, tasks;
  int64_t greatest_chunk;
} walk_t;

// The space of the results in the physical order of the first one.
static genie_lower_space_t result_space(const genie_lowering_t *lowering) {
  const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(lowering->yield, 0));
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = genie_region_layout(lowering, lowering->state->input_count, storage);
  genie_lower_space_t space = {.rank = type.rank, .arg_count = 2};
  for (int k = 0; k < type.rank; ++k) {
    space.order[k] = layout == NULL ? k : (int)layout[k];
    space.dims[k] = type.dims[space.order[k]];
  }
  return space;
}

// The dimensions of the space that the inner loop walks: the last run that all accesses walk as one.
static genie_status_t choose_inner(genie_lowering_t *lowering, genie_lower_space_t *space) {
  genie_trace_t trace;
  genie_trace_init(lowering, space, &trace);
  const genie_status_t status = genie_lower_stored_trace(lowering, space, &trace);
  int begin = trace.count > 0 ? trace.count - 1 : 0;
  while (begin > 0 && !trace.is_split[begin - 1]) {
    --begin;
  }
  int outer = 0;
  while (outer < space->rank && (trace.map[space->order[outer]] < begin)) {
    ++outer;
  }
  space->arg_dims[0] = outer;
  space->arg_dims[1] = space->rank - outer;
  genie_trace_deinit(&trace);
  return status;
}

static genie_status_t plan_walk(genie_lowering_t *lowering, walk_t *walk) {
  genie_lower_space_t *space = &walk->space;
  GENIE_RETURN_IF_ERROR(choose_inner(lowering, space));
  MlirAffineExpr outer = genie_dim_product(lowering->context, space->arg_dims[0], space->dims);
  walk->inner = genie_dim_product(lowering->context, space->arg_dims[1], space->dims + space->arg_dims[0]);
  const int64_t greatest = genie_lower_maximum(lowering, walk->inner);
  const bool is_chunked = greatest > MAX_INNER;
  walk->greatest_chunk = is_chunked ? CHUNK : greatest;
  walk->chunk = is_chunked ? genie_dim_constant(lowering->context, CHUNK) : walk->inner;
  walk->chunks = is_chunked ? genie_lower_ceildiv(walk->inner, CHUNK) : genie_dim_constant(lowering->context, 1);
  walk->tasks = genie_dim_mul(outer, walk->chunks);
  return GENIE_OK;
}

static genie_status_t define_walk(genie_lowering_t *lowering, const walk_t *walk, const char *suffix) {
  const struct {
    const char *stem;
    MlirAffineExpr size;
  } sizes[] = {{"genie_inner", walk->inner},
               {"genie_chunk", walk->chunk},
               {"genie_chunks", walk->chunks},
               {"genie_tasks", walk->tasks}};
  char name[32];
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); ++i) {
    snprintf(name, sizeof(name), "%s%s", sizes[i].stem, suffix);
    GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, name, sizes[i].size));
  }
  snprintf(name, sizeof(name), "genie_store%s", suffix);
  return genie_lower_define_store(lowering, name, &walk->space);
}

static genie_status_t lower_whole(genie_lowering_t *lowering, walk_t *walk) {
  GENIE_RETURN_IF_ERROR(genie_lower_use_template(lowering, "pointwise"));
  GENIE_RETURN_IF_ERROR(plan_walk(lowering, walk));
  lowering->grid = walk->tasks;
  lowering->grain = genie_lower_grain((double)walk->greatest_chunk * genie_region_cost(lowering));
  return define_walk(lowering, walk, "");
}

//===-- Pieces ----------------------------------------------------------------------------------------------------===//

static bool is_of_shape(MlirValue value, const genie_tensor_type_t *type) {
  const genie_tensor_type_t own = genie_value_type(value);
  for (int d = 0; d < type->rank && own.rank == type->rank; ++d) {
    if (!mlirAffineExprEqual(own.dims[d], type->dims[d])) {
      return false;
    }
  }
  return own.rank == type->rank;
}

// A concatenation of the space's shape from which the stored value is computed element by element.
static MlirOperation find_concat(MlirValue value, const genie_tensor_type_t *type, int depth) {
  if (depth == 0 || !mlirValueIsAOpResult(value) || !is_of_shape(value, type)) {
    return (MlirOperation){NULL};
  }
  MlirOperation op = mlirOpResultGetOwner(value);
  if (genie_op_is(op, "genie.concat")) {
    return op;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op) && genie_op_has_rule(op, "pointwise"); ++i) {
    MlirOperation found = find_concat(mlirOperationGetOperand(op, i), type, depth - 1);
    if (!mlirOperationIsNull(found)) {
      return found;
    }
  }
  return (MlirOperation){NULL};
}

static MlirOperation find_cut(const genie_lowering_t *lowering) {
  enum { DEPTH = 12 };  // of expressions: shared operands make a deeper search exponential
  const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(lowering->yield, 0));
  MlirValue value;
  genie_strided_view_t view;
  if (!genie_region_stored_value(lowering, 0, type.rank, type.dims, &value, &view)) {
    return (MlirOperation){NULL};
  }
  MlirOperation concat = find_concat(value, &type, DEPTH);
  const bool is_usable = !mlirOperationIsNull(concat) && mlirOperationGetNumOperands(concat) <= MAX_PIECES;
  return is_usable ? concat : (MlirOperation){NULL};
}

// Pieces that there are not have no tasks.
static genie_status_t define_absent_piece(genie_lowering_t *lowering, int piece) {
  static const char *const stems[] = {"genie_tasks", "genie_inner", "genie_chunk", "genie_chunks"};
  char name[32];
  for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); ++i) {
    snprintf(name, sizeof(name), "%s_%d", stems[i], piece);
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, name, i == 3));
  }
  snprintf(name, sizeof(name), "genie_store_%d", piece);
  return genie_lower_define_nothing(lowering, name);
}

static genie_status_t lower_pieces(genie_lowering_t *lowering, const genie_lower_space_t *whole, MlirOperation concat) {
  GENIE_RETURN_IF_ERROR(genie_lower_use_template(lowering, "pointwise_pieces"));
  const int axis = (int)genie_ir_i64(concat, "axis"), count = (int)mlirOperationGetNumOperands(concat);
  MlirAffineExpr start = genie_dim_constant(lowering->context, 0), tasks = start;
  int64_t greatest = 1;
  for (int k = 0; k < MAX_PIECES; ++k) {
    if (k >= count) {
      GENIE_RETURN_IF_ERROR(define_absent_piece(lowering, k));
      continue;
    }
    MlirAffineExpr size = genie_value_type(mlirOperationGetOperand(concat, k)).dims[axis];
    walk_t walk = {.space = *whole};
    int place = 0;
    while (whole->order[place] != axis) {
      ++place;
    }
    lowering->state->piece = (genie_hook_piece_t){concat, axis, k, start, whole->dims[place]};
    walk.space.dims[place] = size;
    GENIE_RETURN_IF_ERROR(plan_walk(lowering, &walk));
    char suffix[8];
    snprintf(suffix, sizeof(suffix), "_%d", k);
    GENIE_RETURN_IF_ERROR(define_walk(lowering, &walk, suffix));
    start = genie_dim_add(start, size);
    tasks = genie_dim_add(tasks, walk.tasks);
    greatest = walk.greatest_chunk > greatest ? walk.greatest_chunk : greatest;
  }
  lowering->state->piece = (genie_hook_piece_t){.concat = {NULL}};
  lowering->grid = tasks;
  lowering->grain = genie_lower_grain((double)greatest * genie_region_cost(lowering) / count);
  return GENIE_OK;
}

//===-- GPUs ------------------------------------------------------------------------------------------------------===//

// A thread is a few neighbours along the inner dimension. Which piece of a concatenation an element is in, it asks.
static genie_status_t lower_threads(genie_lowering_t *lowering, walk_t *walk) {
  enum { THREADS = 256 };
  genie_lower_space_t *space = &walk->space;
  MlirContext context = lowering->context;
  GENIE_RETURN_IF_ERROR(genie_lower_use_template(lowering, "pointwise"));
  GENIE_RETURN_IF_ERROR(choose_inner(lowering, space));
  MlirAffineExpr outer = genie_dim_product(context, space->arg_dims[0], space->dims);
  MlirAffineExpr inner = genie_dim_product(context, space->arg_dims[1], space->dims + space->arg_dims[0]);
  MlirAffineExpr elements = genie_dim_mul(outer, inner);
  const int vector = genie_gpu_vector(lowering, inner, elements);
  int64_t size = 0;
  if (genie_dim_is_constant(inner, &size) && vector > 1) {
    elements = genie_dim_mul(outer, genie_dim_constant(context, size / vector));
  }
  GENIE_RETURN_IF_ERROR(genie_gpu_thread_grid(lowering, elements, THREADS));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_inner", inner));
  return genie_gpu_define_stores(lowering, "genie_store", vector, space);
}

genie_status_t genie_lower_pointwise(genie_lowering_t *lowering) {
  walk_t walk = {.space = result_space(lowering)};
  if (lowering->target->is_cuda) {
    bool is_done = false;
    GENIE_RETURN_IF_ERROR(genie_lower_transpose(lowering, &is_done));
    return is_done ? GENIE_OK : lower_threads(lowering, &walk);
  }
  MlirOperation concat = find_cut(lowering);
  return mlirOperationIsNull(concat) ? lower_whole(lowering, &walk) : lower_pieces(lowering, &walk.space, concat);
}
