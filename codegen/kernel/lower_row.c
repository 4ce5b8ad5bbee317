// The family `row`: softmax, normalisations and reductions. Where the innermost dimension in memory is one that is
// reduced, a task is a row and vectors run along it; else vectors run along the innermost dimension that stays.
#include <string.h>

#include "codegen/kernel/family.h"
#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

enum {
  STRIDED_WIDTH = 256,     // columns of a block
  LEAST_STRIDED = 8,       // fewer columns than this are no vectors
  MAX_BUFFERED = 1 << 18,  // a longer row is computed again rather than kept
  MOST_HELD = 32,          // elements of a row in a thread of a GPU: templates/cuda/row.h
  ROW_ITEMS = 4,
  MANY_ROWS = 1024,  // of a thread block each
};

// Templates' numbers: templates/reduce.h.
static const struct {
  const char *op;
  int operation;
  bool is_logical;  // of x != 0 rather than x
} reduction_table[] = {
    {"genie.sum", 0, false},  {"genie.mean", 1, false}, {"genie.amax", 2, false}, {"genie.amin", 3, false},
    {"genie.prod", 4, false}, {"genie.any", 2, true},   {"genie.all", 3, true},   {"genie.var", 5, false},
};

// How the operand's dimensions are walked: those that stay, those that are reduced, those that stay and lie innermost.
typedef struct walk {
  genie_tensor_type_t type;
  bool is_reduced[GENIE_IR_MAX_RANK];
  int outer_count, reduced_count, inner_count;
  int order[GENIE_IR_MAX_RANK];          // outer, then reduced, then inner dimensions
  MlirAffineExpr outer, reduced, inner;  // sizes
} walk_t;

static bool is_one(MlirAffineExpr dim) {
  int64_t size = 0;
  return genie_dim_is_constant(dim, &size) && size == 1;
}

static MlirAffineExpr product_of(const genie_lowering_t *lowering, const walk_t *walk, int first, int count) {
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  for (int i = 0; i < count; ++i) {
    dims[i] = walk->type.dims[walk->order[first + i]];
  }
  return genie_dim_product(lowering->context, count, dims);
}

// Fills the walk from the physical order of the operand. `is_strided` moves what lies inside of the reduced dimensions
// to the end.
static void plan_walk(const genie_lowering_t *lowering, const int *physical, bool is_strided, walk_t *walk) {
  const int rank = walk->type.rank;
  int last_reduced = rank - 1;
  while (last_reduced >= 0 &&
         (!walk->is_reduced[physical[last_reduced]] || is_one(walk->type.dims[physical[last_reduced]]))) {
    --last_reduced;
  }
  int count = 0;
  walk->outer_count = walk->reduced_count = walk->inner_count = 0;
  for (int k = 0; k < rank; ++k) {
    if (!walk->is_reduced[physical[k]] && !(is_strided && k > last_reduced)) {
      walk->order[count++] = physical[k];
      ++walk->outer_count;
    }
  }
  for (int k = 0; k < rank; ++k) {
    if (walk->is_reduced[physical[k]]) {
      walk->order[count++] = physical[k];
      ++walk->reduced_count;
    }
  }
  for (int k = last_reduced + 1; k < rank && is_strided; ++k) {
    if (!walk->is_reduced[physical[k]]) {
      walk->order[count++] = physical[k];
      ++walk->inner_count;
    }
  }
  walk->outer = product_of(lowering, walk, 0, walk->outer_count);
  walk->reduced = product_of(lowering, walk, walk->outer_count, walk->reduced_count);
  walk->inner = product_of(lowering, walk, walk->outer_count + walk->reduced_count, walk->inner_count);
}

// Whether vectors run better along dimensions that stay: where those lie inside of all that are reduced.
static bool choose_strided(const genie_lowering_t *lowering, const int *physical, walk_t *walk) {
  plan_walk(lowering, physical, true, walk);
  return walk->inner_count > 0 && genie_lower_maximum(lowering, walk->inner) >= LEAST_STRIDED;
}

// The operand's space: arguments (outer, reduced) or (outer, reduced, inner).
static genie_lower_space_t operand_space(const walk_t *walk, bool is_strided) {
  genie_lower_space_t space = {.rank = walk->type.rank, .arg_count = is_strided ? 3 : 2};
  for (int k = 0; k < space.rank; ++k) {
    space.order[k] = walk->order[k];
    space.dims[k] = walk->type.dims[walk->order[k]];
  }
  space.arg_dims[0] = walk->outer_count;
  space.arg_dims[1] = walk->reduced_count;
  space.arg_dims[2] = walk->inner_count;
  return space;
}

// The space of a reduction's result: arguments (outer) or (outer, inner). Reduced dimensions are gone, or 1.
static genie_lower_space_t result_space(const genie_lowering_t *lowering, const walk_t *walk, bool is_strided) {
  const genie_tensor_type_t type = genie_value_type(mlirOperationGetResult(lowering->anchor, 0));
  int kept[GENIE_IR_MAX_RANK], next = 0;
  for (int d = 0; d < walk->type.rank; ++d) {
    kept[d] = type.rank == walk->type.rank ? d : next;
    next += !walk->is_reduced[d];
  }
  genie_lower_space_t space = {.rank = type.rank, .arg_count = is_strided ? 2 : 1};
  int count = 0;
  for (int k = 0; k < walk->type.rank; ++k) {
    const int d = walk->order[k];
    if (walk->is_reduced[d] && type.rank != walk->type.rank) {
      continue;
    }
    space.order[count] = kept[d];
    space.dims[count++] = type.dims[kept[d]];
    space.arg_dims[k < walk->outer_count + walk->reduced_count ? 0 : 1] += 1;
  }
  return space;
}

// Columns of a strided block: on a GPU, its threads.
static int strided_width(const genie_lowering_t *lowering, const walk_t *walk) {
  return lowering->target->is_cuda ? genie_gpu_threads(genie_lower_maximum(lowering, walk->inner), STRIDED_WIDTH)
                                   : STRIDED_WIDTH;
}

static genie_status_t define_sizes(genie_lowering_t *lowering, const walk_t *walk) {
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_columns", walk->reduced));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_size", walk->reduced));
  return genie_lower_define_size(lowering, "genie_inner", walk->inner);
}

static genie_status_t define_width(genie_lowering_t *lowering, const walk_t *walk) {
  return genie_lower_define_i64(lowering, "genie_width", strided_width(lowering, walk));
}

static void set_grid(genie_lowering_t *lowering, const walk_t *walk, bool is_strided, double cost) {
  const double size = (double)genie_lower_maximum(lowering, walk->reduced);
  const int64_t inner = genie_lower_maximum(lowering, walk->inner);
  const int columns = strided_width(lowering, walk);
  const double width = is_strided ? (double)(inner < columns ? inner : columns) : 1.0;
  MlirAffineExpr blocks =
      is_strided ? genie_lower_ceildiv(walk->inner, columns) : genie_dim_constant(lowering->context, 1);
  if (is_strided) {
    lowering->threads = columns;
  }
  lowering->grid = genie_dim_mul(walk->outer, blocks);
  lowering->grain = genie_lower_grain(size * width * (cost + genie_region_cost(lowering)));
}

static uint64_t real_bytes(genie_dtype_t dtype) {
  return strcmp(genie_lower_real_name(dtype), "f32") == 0 ? 4 : 8;
}

//===-- GPUs ------------------------------------------------------------------------------------------------------===//

// Neighbours along the row that are stored at once: where the row is one dimension.
static int row_vector(const genie_lowering_t *lowering, const walk_t *walk) {
  int count = 0;
  for (int k = walk->outer_count; k < walk->outer_count + walk->reduced_count; ++k) {
    count += !is_one(walk->type.dims[walk->order[k]]);
  }
  return count == 1 ? genie_gpu_vector(lowering, walk->reduced, genie_dim_mul(walk->outer, walk->reduced)) : 1;
}

// A block is a row, whose threads hold a few vectors of it each: one where rows are too few to fill the GPU.
static genie_status_t define_row_block(genie_lowering_t *lowering, const walk_t *walk, int vector) {
  const int64_t vectors = (genie_lower_maximum(lowering, walk->reduced) + vector - 1) / vector;
  const int64_t held = genie_lower_maximum(lowering, walk->outer) >= MANY_ROWS ? ROW_ITEMS : 1;
  lowering->threads = genie_gpu_threads((vectors + held - 1) / held, GENIE_GPU_MAX_THREADS);
  const int64_t items = (vectors + lowering->threads - 1) / lowering->threads;
  return genie_lower_define_i64(lowering, "genie_items", items * vector <= MOST_HELD ? items : 0);
}

// The store of a template whose results have the shape of its rows.
static genie_status_t define_row_store(genie_lowering_t *lowering, const walk_t *walk, bool is_strided,
                                       const genie_lower_space_t *space) {
  if (!lowering->target->is_cuda || is_strided) {
    return genie_lower_define_store(lowering, "genie_store", space);
  }
  const int vector = row_vector(lowering, walk);
  GENIE_RETURN_IF_ERROR(define_row_block(lowering, walk, vector));
  return genie_gpu_define_stores(lowering, "genie_store", vector, space);
}

// A block is a row of which one number is left.
static genie_status_t define_reduced_block(genie_lowering_t *lowering, const walk_t *walk) {
  const int vector = genie_gpu_vector(lowering, walk->reduced, genie_dim_mul(walk->outer, walk->reduced));
  const int64_t vectors = genie_lower_maximum(lowering, walk->reduced) / vector;
  const bool has_many = genie_lower_maximum(lowering, walk->outer) >= MANY_ROWS;
  lowering->threads = genie_gpu_threads(has_many ? vectors / ROW_ITEMS : vectors, has_many ? 256 : 1024);
  return genie_lower_define_i64(lowering, "genie_vector", vector);
}

// A block is a few columns, which several threads share where columns are too few to fill the GPU.
static genie_status_t define_splits(genie_lowering_t *lowering, const walk_t *walk) {
  enum { FEW_COLUMNS = 132 * 512, LEAST_SHARE = 8 };
  const int64_t columns = genie_lower_maximum(lowering, genie_dim_mul(walk->outer, walk->inner));
  const int64_t size = genie_lower_maximum(lowering, walk->reduced);
  const int width = columns < FEW_COLUMNS ? GENIE_GPU_WARP : strided_width(lowering, walk);
  int splits = 1;
  while (columns < FEW_COLUMNS && splits * width < GENIE_GPU_MAX_THREADS && size >= 2 * splits * LEAST_SHARE) {
    splits *= 2;
  }
  lowering->threads = width * splits;
  lowering->grid = genie_dim_mul(walk->outer, genie_lower_ceildiv(walk->inner, width));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_splits", splits));
  return genie_lower_define_i64(lowering, "genie_width", width);
}

//===-- softmax ---------------------------------------------------------------------------------------------------===//

static genie_status_t lower_softmax(genie_lowering_t *lowering) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  walk_t walk = {.type = genie_value_type(x)};
  walk.is_reduced[genie_ir_i64(lowering->anchor, "axis")] = true;
  int physical[GENIE_IR_MAX_RANK];
  genie_region_physical_order(lowering, x, physical);
  const bool is_strided = choose_strided(lowering, physical, &walk);
  if (!is_strided) {
    plan_walk(lowering, physical, false, &walk);
  }
  const genie_dtype_t dtype = genie_lower_dtype(x);
  lowering->is_elementwise_anchor = true;
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, is_strided ? "softmax_strided" : "softmax", dtype));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, &walk));
  GENIE_RETURN_IF_ERROR(define_width(lowering, &walk));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_is_log", genie_op_is(lowering->anchor, "genie.log_softmax")));
  const genie_lower_space_t space = operand_space(&walk, is_strided);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &space));
  set_grid(lowering, &walk, is_strided, is_strided ? 4.0 : 2.5);
  GENIE_RETURN_IF_ERROR(define_row_store(lowering, &walk, is_strided, &space));
  const int64_t columns = is_strided ? 2 * STRIDED_WIDTH : genie_lower_maximum(lowering, walk.reduced);
  lowering->scratch_bytes = (uint64_t)columns * real_bytes(dtype);
  return GENIE_OK;
}

//===-- Normalisations --------------------------------------------------------------------------------------------===//

static genie_status_t define_affine(genie_lowering_t *lowering, const char *name, const char *operand, double absent) {
  MlirValue value = genie_ir_operand(lowering->anchor, operand);
  if (mlirValueIsNull(value)) {
    return genie_lower_define_f64(lowering, name, absent);
  }
  const int rank = genie_value_type(value).rank;
  const genie_lower_space_t space = genie_lower_space_split(mlirValueGetType(value), 1, &rank);
  return genie_lower_define_load(lowering, name, value, &space);
}

static genie_status_t lower_norm(genie_lowering_t *lowering) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  const bool is_rms = genie_op_is(lowering->anchor, "genie.rms_norm");
  walk_t walk = {.type = genie_value_type(x)};
  const int normalised = (int)genie_ir_i64(lowering->anchor, "normalized_rank");
  int logical[GENIE_IR_MAX_RANK];  // the weight's elements follow the columns, so these keep their order
  for (int d = 0; d < walk.type.rank; ++d) {
    logical[d] = d;
    walk.is_reduced[d] = d >= walk.type.rank - normalised;
  }
  plan_walk(lowering, logical, false, &walk);
  const genie_dtype_t dtype = genie_lower_dtype(x);
  genie_strided_view_t view;
  const int64_t columns = genie_lower_maximum(lowering, walk.reduced);
  const bool is_buffered = !genie_lower_view(lowering, x, &view) && columns <= MAX_BUFFERED;
  lowering->is_elementwise_anchor = true;
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "norm", dtype));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, &walk));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_rms", is_rms));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_buffered", is_buffered));
  GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, "genie_eps", genie_ir_f64(lowering->anchor, "eps")));
  GENIE_RETURN_IF_ERROR(define_affine(lowering, "genie_weight", "weight", 1.0));
  GENIE_RETURN_IF_ERROR(is_rms ? genie_lower_define_f64(lowering, "genie_bias", 0.0)
                               : define_affine(lowering, "genie_bias", "bias", 0.0));
  const genie_lower_space_t space = operand_space(&walk, false);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &space));
  set_grid(lowering, &walk, false, 1.5);
  GENIE_RETURN_IF_ERROR(define_row_store(lowering, &walk, false, &space));
  lowering->scratch_bytes = is_buffered ? (uint64_t)columns * real_bytes(dtype) : 0;
  return GENIE_OK;
}

//===-- Reductions ------------------------------------------------------------------------------------------------===//

static void read_axes(const genie_lowering_t *lowering, walk_t *walk) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(lowering->anchor, "axes", GENIE_IR_MAX_RANK, axes);
  for (int i = 0; i < count; ++i) {
    walk->is_reduced[axes[i]] = true;
  }
}

static genie_status_t lower_reduction(genie_lowering_t *lowering, int operation, bool is_logical) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  walk_t walk = {.type = genie_value_type(x)};
  read_axes(lowering, &walk);
  int physical[GENIE_IR_MAX_RANK];
  genie_region_physical_order(lowering, x, physical);
  const bool is_strided = choose_strided(lowering, physical, &walk);
  if (!is_strided) {
    plan_walk(lowering, physical, false, &walk);
  }
  const genie_dtype_t dtype = is_logical ? GENIE_DTYPE_BOOL : genie_lower_dtype(x);
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, is_strided ? "reduce_strided" : "reduce", dtype));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, &walk));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_operation", operation));
  const double correction =
      genie_op_is(lowering->anchor, "genie.var") ? genie_ir_f64(lowering->anchor, "correction") : 0.0;
  GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, "genie_correction", correction));
  const genie_lower_space_t space = operand_space(&walk, is_strided);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load_as(lowering, "genie_x", x, dtype, &space));
  const genie_lower_space_t stored = result_space(lowering, &walk, is_strided);
  GENIE_RETURN_IF_ERROR(genie_lower_define_store(lowering, "genie_store", &stored));
  set_grid(lowering, &walk, is_strided, 0.5);
  if (is_strided && lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(define_splits(lowering, &walk));
  } else {
    GENIE_RETURN_IF_ERROR(is_strided ? define_width(lowering, &walk) : define_reduced_block(lowering, &walk));
  }
  lowering->scratch_bytes = is_strided ? 3 * STRIDED_WIDTH * real_bytes(dtype) : 0;
  return GENIE_OK;
}

static genie_status_t lower_index_reduction(genie_lowering_t *lowering) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  walk_t walk = {.type = genie_value_type(x)};
  read_axes(lowering, &walk);
  int logical[GENIE_IR_MAX_RANK];  // the index counts in logical order
  for (int d = 0; d < walk.type.rank; ++d) {
    logical[d] = d;
  }
  plan_walk(lowering, logical, false, &walk);
  GENIE_RETURN_IF_ERROR(genie_lower_use_typed_template(lowering, "reduce_index", genie_lower_dtype(x)));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, &walk));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_is_max", genie_op_is(lowering->anchor, "genie.argmax")));
  const genie_lower_space_t space = operand_space(&walk, false);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", x, &space));
  const genie_lower_space_t stored = result_space(lowering, &walk, false);
  GENIE_RETURN_IF_ERROR(genie_lower_define_store(lowering, "genie_store", &stored));
  set_grid(lowering, &walk, false, 1.0);
  GENIE_RETURN_IF_ERROR(define_reduced_block(lowering, &walk));
  return GENIE_OK;
}

//===-- The family ------------------------------------------------------------------------------------------------===//

genie_status_t genie_lower_row(genie_lowering_t *lowering) {
  for (size_t i = 0; i < sizeof(reduction_table) / sizeof(reduction_table[0]); ++i) {
    if (genie_op_is(lowering->anchor, reduction_table[i].op)) {
      return lower_reduction(lowering, reduction_table[i].operation, reduction_table[i].is_logical);
    }
  }
  if (genie_op_is(lowering->anchor, "genie.argmax") || genie_op_is(lowering->anchor, "genie.argmin")) {
    return lower_index_reduction(lowering);
  }
  if (genie_op_is(lowering->anchor, "genie.layer_norm") || genie_op_is(lowering->anchor, "genie.rms_norm")) {
    return lower_norm(lowering);
  }
  if (genie_op_is(lowering->anchor, "genie.softmax") || genie_op_is(lowering->anchor, "genie.log_softmax")) {
    return lower_softmax(lowering);
  }
  return genie_lower_unimplemented(lowering, "no row kernel for this op");
}
