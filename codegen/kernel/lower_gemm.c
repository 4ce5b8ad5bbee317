// linear and matmul: the gemm template, or gemv for a few rows against an unpacked weight.
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/library_call.h"
#include "codegen/kernel/operand.h"
#include "ir/device_kind.h"
#include "runtime/plan/library_call.h"

enum { GPU_GEMV_ROWS = 8, GPU_GEMV_COLUMNS = 8, GPU_TILE = 64 };  // templates/cuda
// Multiplications, and the depth of a product: cuBLASLt takes 29 us for 2048 x 13 x 512 on an H100. Of shared memory.
enum { LEAST_LIBRARY_WORK = 1 << 20, LEAST_LIBRARY_DEPTH = 32, STAGED_BYTES = 160 << 10 };
enum { STAGED_BLOCKS = 132 * 8 };  // that fill a large GPU once
enum { GEMV_ROWS = 4, GEMV_COLUMNS = 64, DIRECT_ROWS = 12, CACHED_BYTES = 8 << 20 };

// The product as the templates see it: [batch][m][k] x [batch][k][n], with how dimensions of the result map to batch
// and m.
typedef struct product {
  genie_operand_t a, b;
  MlirValue bias;
  int batch_rank;  // leading dimensions of the result that are batch; the others but the last are rows
  bool is_linear;
  MlirAffineExpr batch, m, n, k;
  MlirAffineExpr a_m_stride, a_k_stride, b_k_stride, b_n_stride;
  genie_tensor_type_t result;
} product_t;

static bool is_one(MlirAffineExpr dim) {
  int64_t value = 0;
  return genie_dim_is_constant(dim, &value) && value == 1;
}

// How many leading dimensions of the rows dims[0 .. count) cannot be walked together with those behind them; the stride
// of a step to the next row in `out_stride`.
static int count_outer_dims(MlirContext context, const genie_strided_view_t *view, int count,
                            MlirAffineExpr *out_stride) {
  MlirAffineExpr stride = genie_dim_constant(context, 0), extent = genie_dim_constant(context, 1);
  int outer = count;
  for (; outer > 0; --outer) {
    MlirAffineExpr dim = view->dims[outer - 1];
    if (is_one(dim)) {
      continue;
    }
    if (is_one(extent)) {
      stride = view->strides[outer - 1];
    } else if (!mlirAffineExprEqual(view->strides[outer - 1], genie_dim_mul(stride, extent))) {
      break;
    }
    extent = genie_dim_mul(extent, dim);
  }
  *out_stride = stride;
  return outer;
}

// b as [k][n] strides. A packed weight is [N, K], so a matmul has it permuted: nothing to state.
static genie_status_t read_b(genie_lowering_t *lowering, MlirValue value, bool is_linear, product_t *p) {
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, value, "the right-hand operand", &p->b));
  p->b_k_stride = p->b_n_stride = genie_dim_constant(lowering->context, 0);
  if (p->b.width != 0) {
    return strcmp(p->b.format, "panel_n") == 0 && p->b.view.rank == 3
               ? GENIE_OK
               : genie_lower_unimplemented(lowering, "the weight is not packed as one matrix in panels");
  }
  const genie_strided_view_t *view = &p->b.view;
  p->b_k_stride = view->strides[is_linear ? view->rank - 1 : view->rank - 2];
  p->b_n_stride = view->strides[is_linear ? view->rank - 2 : view->rank - 1];
  return GENIE_OK;
}

static bool has_batch(const genie_strided_view_t *view) {
  for (int d = 0; d < view->rank - 2; ++d) {
    if (!is_one(view->dims[d])) {
      return true;
    }
  }
  return false;
}

static genie_status_t read_product(genie_lowering_t *lowering, product_t *p) {
  const bool is_linear = genie_op_is(lowering->anchor, "genie.linear");
  MlirValue lhs = genie_ir_operand(lowering->anchor, is_linear ? "x" : "lhs");
  MlirValue rhs = genie_ir_operand(lowering->anchor, is_linear ? "weight" : "rhs");
  p->is_linear = is_linear;
  p->bias = is_linear ? genie_ir_operand(lowering->anchor, "bias") : (MlirValue){NULL};
  p->result = genie_value_type(mlirOperationGetResult(lowering->anchor, 0));
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, lhs, "the left-hand operand", &p->a));
  GENIE_RETURN_IF_ERROR(read_b(lowering, rhs, is_linear, p));
  const genie_strided_view_t *a = &p->a.view;
  const bool is_batched = p->b.width == 0 && has_batch(&p->b.view);
  const int result_rows = p->result.rank - 1;  // dimensions of the result before n
  p->k = a->dims[a->rank - 1];
  p->n = p->result.dims[p->result.rank - 1];
  p->a_k_stride = a->strides[a->rank - 1];
  if (is_batched || a->rank != p->result.rank) {
    p->batch_rank = result_rows - 1;
    p->a_m_stride = a->strides[a->rank - 2];
  } else {
    p->batch_rank = count_outer_dims(lowering->context, a, result_rows, &p->a_m_stride);
  }
  p->batch = genie_dim_product(lowering->context, p->batch_rank, p->result.dims);
  p->m = genie_dim_product(lowering->context, result_rows - p->batch_rank, p->result.dims + p->batch_rank);
  return GENIE_OK;
}

// Where an operand's matrix begins for a batch index, which names the leading dimensions of the result. The operand's
// own `rank` leading dimensions are the last of those; a dimension that it lacks, or that is 1 there, is broadcast.
static genie_status_t define_base(genie_lowering_t *lowering, const char *name, const genie_operand_t *operand,
                                  int rank, const product_t *p, const genie_lower_space_t *batch) {
  genie_operand_t aligned = *operand;
  for (int d = 0; d < p->batch_rank; ++d) {
    const int own = d - (p->batch_rank - rank);
    const bool is_broadcast = own < 0 || is_one(operand->view.dims[own]);
    aligned.view.dims[d] = is_broadcast ? genie_dim_constant(lowering->context, 1) : operand->view.dims[own];
    aligned.view.strides[d] = is_broadcast ? genie_dim_constant(lowering->context, 0) : operand->view.strides[own];
  }
  return genie_operand_define_base(lowering, name, &aligned, p->batch_rank, batch);
}

static genie_status_t define_operands(genie_lowering_t *lowering, const product_t *p) {
  const genie_lower_space_t batch = genie_operand_space(p->batch_rank, p->result.dims, 1, &p->batch_rank);
  const int b_rank = p->b.view.rank - 2 < p->batch_rank ? p->b.view.rank - 2 : p->batch_rank;
  const int a_rank = p->a.view.rank - 2 < p->batch_rank ? p->a.view.rank - 2 : p->batch_rank;
  const bool a_is_aligned = p->a.view.rank == p->result.rank;
  GENIE_RETURN_IF_ERROR(define_base(lowering, "genie_a", &p->a, a_is_aligned ? p->batch_rank : a_rank, p, &batch));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_a_dtype", p->a.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_a_m_stride", p->a_m_stride));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_a_k_stride", p->a_k_stride));
  const bool has_b_batch = p->b.width == 0 && has_batch(&p->b.view);
  GENIE_RETURN_IF_ERROR(define_base(lowering, "genie_b", &p->b, has_b_batch ? b_rank : 0, p, &batch));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_dtype", p->b.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_b_n_stride", p->b_n_stride));
  GENIE_RETURN_IF_ERROR(genie_operand_define_bias(lowering, p->bias));
  const int row_dims = p->result.rank - 1 - p->batch_rank;
  const int arg_dims[] = {p->batch_rank, row_dims, 1};
  const genie_lower_space_t space =
      genie_lower_space_split(mlirValueGetType(mlirOperationGetResult(lowering->anchor, 0)), 3, arg_dims);
  return lowering->target->is_cuda ? genie_operand_define_pair_store(lowering, p->n, &space)
                                   : genie_lower_define_store(lowering, "genie_store", &space);
}

// Whether the right-hand operand is still in a cache from the call before, by all that a call reads in between.
static bool is_cached(const genie_lowering_t *lowering, const product_t *p) {
  const double bytes = (double)genie_lower_maximum(lowering, p->batch) * (double)genie_lower_maximum(lowering, p->n) *
                       (double)genie_lower_maximum(lowering, p->k) * (double)genie_dtype_bytes(p->b.dtype);
  return bytes <= CACHED_BYTES && lowering->weight_bytes <= CACHED_BYTES;
}

static genie_status_t lower_gemv(genie_lowering_t *lowering, const product_t *p, int64_t element_bytes) {
  const int64_t step = 2 * 64 / element_bytes, k = genie_lower_maximum(lowering, p->k);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "gemv", element_bytes == 8));
  lowering->grid = genie_dim_mul(p->batch, genie_lower_ceildiv(p->n, GEMV_COLUMNS));
  lowering->grain = genie_lower_grain((double)GEMV_COLUMNS * (double)k / 4);
  lowering->scratch_bytes = (uint64_t)(GEMV_ROWS * ((k + step - 1) / step * step + GEMV_COLUMNS) * element_bytes);
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_m", p->m));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_n", p->n));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_k", p->k));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_columns", GEMV_COLUMNS));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_cached", is_cached(lowering, p)));
  return define_operands(lowering, p);
}

static genie_status_t lower_blocked(genie_lowering_t *lowering, const product_t *p, int64_t element_bytes) {
  const int64_t m = genie_lower_maximum(lowering, p->m), n = genie_lower_maximum(lowering, p->n);
  const genie_gemm_block_t block = genie_gemm_block_choose(genie_lower_maximum(lowering, p->batch), m, n,
                                                           genie_lower_maximum(lowering, p->k), element_bytes);
  int64_t n_value = 0;
  // Reading in place goes beyond n unless n is whole tiles.
  const bool is_direct =
      m <= DIRECT_ROWS && is_one(p->b_n_stride) && genie_dim_is_constant(p->n, &n_value) && n_value % 32 == 0;
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "gemm", element_bytes == 8));
  GENIE_RETURN_IF_ERROR(genie_gemm_block_define(lowering, &block, p->batch, p->m, p->n, p->k, element_bytes, 0));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_m", p->m));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_width", p->b.width));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_direct", is_direct));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_b_k_stride", p->b_k_stride));
  return define_operands(lowering, p);
}

//===-- GPUs ------------------------------------------------------------------------------------------------------===//

static genie_status_t define_gpu_operands(genie_lowering_t *lowering, const product_t *p) {
  const int rank = p->b.view.rank, k_dim = p->is_linear ? rank - 1 : rank - 2,
            n_dim = p->is_linear ? rank - 2 : rank - 1;
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_m", p->m));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_n", p->n));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_k", p->k));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_b_k_stride", p->b_k_stride));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_a_is_vector", genie_operand_has_groups(&p->a, p->a.view.rank - 1)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_vector", genie_operand_has_groups(&p->b, k_dim)));
  return genie_lower_define_i64(lowering, "genie_b_is_vector_n", genie_operand_has_groups(&p->b, n_dim));
}

// Whether the operand is the same in every call, so that no launch writes it.
static bool is_weight(const genie_lowering_t *lowering, const genie_operand_t *operand) {
  MlirValue root = operand->view.root;
  return mlirValueIsABlockArgument(root) &&
         genie_ir_is_compile_time(mlirOperationGetOperand(lowering->op, mlirBlockArgumentGetArgNumber(root)));
}

// What makes the rows of a product, where that is more than memory with strides.
typedef struct staged_rows {
  MlirValue x;         // its rows, before the normalisation
  MlirOperation norm;  // or null
} staged_rows_t;

static genie_status_t define_vector(genie_lowering_t *lowering, const char *name, MlirValue vector, double absent) {
  if (mlirValueIsNull(vector)) {
    return genie_lower_define_f64(lowering, name, absent);
  }
  const genie_lower_space_t space = genie_lower_space_of(mlirValueGetType(vector));
  return genie_lower_define_load(lowering, name, vector, &space);
}

// Staged rows are computed one element at a time.
static genie_status_t define_no_groups(genie_lowering_t *lowering) {
  GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, "genie_x_8"));
  GENIE_RETURN_IF_ERROR(genie_lower_define_nothing(lowering, "genie_norm_weight_8"));
  return genie_lower_define_i64(lowering, "genie_has_groups", 0);
}

// Staged rows, and the weight of their rms_norm, are computed eight elements at a time.
static genie_status_t define_groups(genie_lowering_t *lowering, const staged_rows_t *rows,
                                    const genie_lower_space_t *space) {
  MlirValue weight = mlirOperationIsNull(rows->norm) ? (MlirValue){NULL} : genie_ir_operand(rows->norm, "weight");
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_has_groups", 1));
  GENIE_RETURN_IF_ERROR(genie_lower_define_load_vector(lowering, "genie_x", 8, rows->x, space));
  if (mlirValueIsNull(weight)) {
    return genie_lower_define_nothing(lowering, "genie_norm_weight_8");
  }
  const genie_lower_space_t vector = genie_lower_space_of(mlirValueGetType(weight));
  return genie_lower_define_load_vector(lowering, "genie_norm_weight", 8, weight, &vector);
}

static genie_status_t define_no_rows(genie_lowering_t *lowering) {
  static const char *const NAMES[] = {"genie_x", "genie_eps", "genie_norm_weight", "genie_norm_bias"};
  GENIE_RETURN_IF_ERROR(define_no_groups(lowering));
  for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); ++i) {
    GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, NAMES[i], 0));
  }
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_norm", 0));
  return genie_lower_define_i64(lowering, "genie_is_staged", 0);
}

static genie_status_t define_norm(genie_lowering_t *lowering, MlirOperation norm) {
  const bool is_absent = mlirOperationIsNull(norm), is_rms = !is_absent && genie_op_is(norm, "genie.rms_norm");
  MlirValue none = {NULL};
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_norm", is_absent ? 0 : is_rms ? 1 : 2));
  GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, "genie_eps", is_absent ? 0 : genie_ir_f64(norm, "eps")));
  GENIE_RETURN_IF_ERROR(
      define_vector(lowering, "genie_norm_weight", is_absent ? none : genie_ir_operand(norm, "weight"), 1));
  return define_vector(lowering, "genie_norm_bias", is_absent || is_rms ? none : genie_ir_operand(norm, "bias"), 0);
}

static genie_status_t define_rows(genie_lowering_t *lowering, const staged_rows_t *rows) {
  const genie_tensor_type_t type = genie_value_type(rows->x);
  const int arg_dims[] = {type.rank - 1, 1};
  const genie_lower_space_t space = genie_lower_space_split(mlirValueGetType(rows->x), 2, arg_dims);
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_staged", 1));
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_x", rows->x, &space));
  int64_t columns = 0;
  const bool has_weight = mlirOperationIsNull(rows->norm) || !mlirValueIsNull(genie_ir_operand(rows->norm, "weight"));
  const bool has_groups =
      genie_dim_is_constant(type.dims[type.rank - 1], &columns) && columns > 0 && columns % 8 == 0 && has_weight;
  GENIE_RETURN_IF_ERROR(has_groups ? define_groups(lowering, rows, &space) : define_no_groups(lowering));
  return define_norm(lowering, rows->norm);
}

static genie_status_t lower_gpu_gemv(genie_lowering_t *lowering, const product_t *p, const staged_rows_t *staged,
                                     bool is_double) {
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "gemv", is_double));
  lowering->threads = GPU_GEMV_COLUMNS / 2 * GENIE_GPU_WARP;
  int64_t n = 0;
  const bool is_bounded = staged != NULL && genie_dim_is_constant(p->n, &n) && n > STAGED_BLOCKS * GPU_GEMV_COLUMNS;
  MlirAffineExpr blocks =
      is_bounded ? genie_dim_constant(lowering->context, STAGED_BLOCKS) : genie_lower_ceildiv(p->n, GPU_GEMV_COLUMNS);
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_blocks", blocks));
  lowering->grid = genie_dim_mul(p->batch, blocks);
  const int64_t rows = genie_lower_maximum(lowering, p->m);
  GENIE_RETURN_IF_ERROR(staged == NULL ? define_no_rows(lowering) : define_rows(lowering, staged));
  if (staged != NULL) {
    lowering->shared_bytes = (uint32_t)(rows * genie_lower_maximum(lowering, p->k) * (is_double ? 8 : 4));
  }
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_rows", rows < 1 ? 1 : rows));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_weight", is_weight(lowering, &p->b)));
  GENIE_RETURN_IF_ERROR(define_gpu_operands(lowering, p));
  return define_operands(lowering, p);
}

static genie_status_t lower_gpu_tiles(genie_lowering_t *lowering, const product_t *p, bool is_double) {
  const bool is_narrow = genie_operand_is_narrow_pair(&p->a, &p->b);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, is_narrow ? "gemm_mma" : "gemm", is_double));
  lowering->threads = is_narrow ? 128 : 256;
  lowering->grid =
      genie_dim_mul(genie_dim_mul(p->batch, genie_lower_ceildiv(p->m, GPU_TILE)), genie_lower_ceildiv(p->n, GPU_TILE));
  GENIE_RETURN_IF_ERROR(define_gpu_operands(lowering, p));
  return define_operands(lowering, p);
}

// A linear whose rows a prologue computes: the rows that it sees, and the normalisation before them.
static bool find_staged_rows(const genie_lowering_t *lowering, staged_rows_t *out_rows) {
  if (!genie_op_is(lowering->anchor, "genie.linear")) {
    return false;
  }
  MlirValue x = genie_ir_operand(lowering->anchor, "x"), value = x;
  genie_strided_view_t view;
  *out_rows = (staged_rows_t){.x = x};
  while (mlirValueIsAOpResult(value) && genie_op_is(mlirOpResultGetOwner(value), "genie.reshape")) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
  }
  MlirOperation definer = mlirValueIsAOpResult(value) ? mlirOpResultGetOwner(value) : (MlirOperation){NULL};
  const bool is_norm = !mlirOperationIsNull(definer) &&
                       (genie_op_is(definer, "genie.rms_norm") || genie_op_is(definer, "genie.layer_norm"));
  if (is_norm) {
    *out_rows = (staged_rows_t){.x = genie_ir_operand(definer, "x"), .norm = definer};
  }
  return is_norm || !genie_lower_view(lowering, x, &view);
}

// As read_product() of a linear whose rows are no memory; `a` stands for nothing.
static genie_status_t read_staged_product(genie_lowering_t *lowering, product_t *p) {
  MlirValue x = genie_ir_operand(lowering->anchor, "x");
  const genie_tensor_type_t type = genie_value_type(x);
  p->is_linear = true;
  p->bias = genie_ir_operand(lowering->anchor, "bias");
  p->result = genie_value_type(mlirOperationGetResult(lowering->anchor, 0));
  GENIE_RETURN_IF_ERROR(read_b(lowering, genie_ir_operand(lowering->anchor, "weight"), true, p));
  p->a = p->b;
  p->a.dtype = genie_lower_dtype(x);
  p->k = type.dims[type.rank - 1];
  p->n = p->result.dims[p->result.rank - 1];
  p->m = genie_dim_product(lowering->context, p->result.rank - 1, p->result.dims);
  p->batch = genie_dim_constant(lowering->context, 1);
  p->a_m_stride = p->a_k_stride = p->batch;
  return GENIE_OK;
}

static genie_status_t lower_gpu_staged(genie_lowering_t *lowering, const staged_rows_t *rows) {
  product_t p = {0};
  GENIE_RETURN_IF_ERROR(read_staged_product(lowering, &p));
  const int64_t norm_rank = mlirOperationIsNull(rows->norm) ? 1 : genie_ir_i64(rows->norm, "normalized_rank");
  const double bytes = (double)genie_lower_maximum(lowering, p.m) * (double)genie_lower_maximum(lowering, p.k) * 4;
  if (p.b.width != 0 || p.b.view.rank != 2 || !is_one(p.b_k_stride) || norm_rank != 1 ||
      genie_lower_maximum(lowering, p.m) > GPU_GEMV_ROWS || bytes > STAGED_BYTES || p.a.dtype == GENIE_DTYPE_F64) {
    return genie_lower_unimplemented(lowering, "a product whose left-hand operand is computed, of this size");
  }
  return lower_gpu_gemv(lowering, &p, rows, false);
}

static genie_status_t lower_gpu(genie_lowering_t *lowering, const product_t *p) {
  const bool is_double = p->a.dtype == GENIE_DTYPE_F64;
  if (p->a.width + p->b.width != 0) {
    return genie_lower_unimplemented(lowering, "a weight in panels on a GPU");
  }
  const bool is_gemv = is_one(p->b_k_stride) && genie_lower_maximum(lowering, p->m) <= GPU_GEMV_ROWS;
  return is_gemv ? lower_gpu_gemv(lowering, p, NULL, is_double) : lower_gpu_tiles(lowering, p, is_double);
}

//===-- Library calls ---------------------------------------------------------------------------------------------===//

// A matrix as a library sees it: rows of contiguous elements.
typedef struct matrix {
  MlirAffineExpr row_stride, batch_stride;
  bool is_transposed;
} matrix_t;

// `rows` and `columns` are the strides along the dimensions that are rows and columns of the matrix not transposed.
static bool read_matrix(MlirAffineExpr rows, MlirAffineExpr columns, MlirAffineExpr batch_stride, matrix_t *out) {
  *out = (matrix_t){.row_stride = rows, .batch_stride = batch_stride};
  if (is_one(columns)) {
    return true;
  }
  out->row_stride = columns;
  out->is_transposed = true;
  return is_one(rows);
}

// The step from one matrix of a batch to the next where all batch dimensions but one are 1: dimensions [0, rank) of
// `view` are the last of them.
static bool read_batch_stride(const product_t *p, const genie_strided_view_t *view, int rank, MlirAffineExpr zero,
                              MlirAffineExpr *out_stride) {
  int count = 0;
  *out_stride = zero;
  for (int d = 0; d < p->batch_rank; ++d) {
    const int own = d - (p->batch_rank - rank);
    if (is_one(p->result.dims[d])) {
      continue;
    }
    ++count;
    *out_stride = own < 0 || is_one(view->dims[own]) ? zero : view->strides[own];
  }
  return count <= 1;
}

static bool is_whole_argument(const genie_lowering_t *lowering, const genie_operand_t *operand) {
  int64_t offset = -1;
  return operand->width == 0 && genie_region_argument(lowering, operand->view.root) >= 0 &&
         genie_dim_is_constant(operand->view.offset, &offset) && offset == 0;
}

static bool is_library_type(const product_t *p) {
  return genie_operand_is_narrow_pair(&p->a, &p->b) ||
         (p->a.dtype == p->b.dtype && (p->a.dtype == GENIE_DTYPE_F32 || p->a.dtype == GENIE_DTYPE_F64));
}

// A call pays where the product is large; a few rows stream their weight in gemv.
static bool is_worth_a_call(const genie_lowering_t *lowering, const product_t *p) {
  const double work = (double)genie_lower_maximum(lowering, p->batch) * (double)genie_lower_maximum(lowering, p->m) *
                      (double)genie_lower_maximum(lowering, p->n) * (double)genie_lower_maximum(lowering, p->k);
  return genie_lower_maximum(lowering, p->m) > GPU_GEMV_ROWS && work >= LEAST_LIBRARY_WORK &&
         genie_lower_minimum(lowering, p->k) >= 1 && genie_lower_maximum(lowering, p->k) >= LEAST_LIBRARY_DEPTH;
}

typedef struct library_product {
  matrix_t a, b, d;
  genie_library_epilogue_t epilogue;
} library_product_t;

static bool read_library_product(const genie_lowering_t *lowering, const product_t *p, library_product_t *l) {
  MlirAffineExpr zero = genie_dim_constant(lowering->context, 0), a_batch, b_batch, d_batch, d_rows;
  const genie_strided_view_t *a = &p->a.view, *b = &p->b.view, *d = &l->epilogue.result;
  const int last = p->result.rank - 1;
  if (!genie_library_read_epilogue(lowering, p->bias, last, &l->epilogue)) {
    return false;
  }
  const int a_rank = a->rank == p->result.rank ? p->batch_rank : a->rank - 2;
  const int b_rank = b->rank - 2 < p->batch_rank ? b->rank - 2 : p->batch_rank;
  int64_t offset = -1;
  const int d_outer = count_outer_dims(lowering->context, d, last, &d_rows);
  return read_batch_stride(p, a, a_rank, zero, &a_batch) && read_batch_stride(p, b, b_rank, zero, &b_batch) &&
         read_batch_stride(p, d, p->batch_rank, zero, &d_batch) && d_outer <= p->batch_rank &&
         genie_dim_is_constant(d->offset, &offset) && offset == 0 &&
         read_matrix(p->a_m_stride, p->a_k_stride, a_batch, &l->a) &&
         read_matrix(p->b_k_stride, p->b_n_stride, b_batch, &l->b) && is_one(d->strides[last]) &&
         read_matrix(d_rows, d->strides[last], d_batch, &l->d);
}

static void fill_matmul(const genie_lowering_t *lowering, const product_t *p, const library_product_t *l,
                        genie_library_call_t *call) {
  MlirContext context = lowering->context;
  call->function = "cublaslt.matmul";
  call->argument_count = 3;
  call->arguments[0] = genie_region_argument(lowering, p->a.view.root);
  call->arguments[1] = genie_region_argument(lowering, p->b.view.root);
  call->arguments[2] = lowering->state->input_count;
  const int flags = genie_library_append_epilogue(lowering, &l->epilogue, call);
  const bool is_tf32 = genie_op_allows_tf32(lowering->op);
  const double alpha = 1.0;
  int64_t alpha_bits;
  memcpy(&alpha_bits, &alpha, sizeof(alpha_bits));
  const int64_t d_type = genie_lower_dtype(mlirOperationGetResult(lowering->anchor, 0));
  MlirAffineExpr *dims = call->dims;
  dims[GENIE_LIBRARY_MATMUL_BATCH] = p->batch;
  dims[GENIE_LIBRARY_MATMUL_M] = p->m;
  dims[GENIE_LIBRARY_MATMUL_N] = p->n;
  dims[GENIE_LIBRARY_MATMUL_K] = p->k;
  dims[GENIE_LIBRARY_MATMUL_A_ROW_STRIDE] = l->a.row_stride;
  dims[GENIE_LIBRARY_MATMUL_A_BATCH_STRIDE] = l->a.batch_stride;
  dims[GENIE_LIBRARY_MATMUL_B_ROW_STRIDE] = l->b.row_stride;
  dims[GENIE_LIBRARY_MATMUL_B_BATCH_STRIDE] = l->b.batch_stride;
  dims[GENIE_LIBRARY_MATMUL_D_ROW_STRIDE] = l->d.row_stride;
  dims[GENIE_LIBRARY_MATMUL_D_BATCH_STRIDE] = l->d.batch_stride;
  dims[GENIE_LIBRARY_MATMUL_A_IS_TRANSPOSED] = genie_dim_constant(context, l->a.is_transposed);
  dims[GENIE_LIBRARY_MATMUL_B_IS_TRANSPOSED] = genie_dim_constant(context, l->b.is_transposed);
  dims[GENIE_LIBRARY_MATMUL_TYPE] = genie_dim_constant(context, p->a.dtype);
  dims[GENIE_LIBRARY_MATMUL_D_TYPE] = genie_dim_constant(context, d_type);
  dims[GENIE_LIBRARY_MATMUL_FLAGS] = genie_dim_constant(context, flags);
  dims[GENIE_LIBRARY_MATMUL_ACTIVATION] = genie_dim_constant(context, l->epilogue.activation);
  dims[GENIE_LIBRARY_MATMUL_MATH] =
      genie_dim_constant(context, is_tf32 ? GENIE_LIBRARY_MATH_TF32 : GENIE_LIBRARY_MATH_EXACT);
  dims[GENIE_LIBRARY_MATMUL_ALPHA_BITS] = genie_dim_constant(context, alpha_bits);
  call->dim_count = GENIE_LIBRARY_MATMUL_DIM_COUNT;
}

bool genie_gemm_library_call(genie_lowering_t *lowering, genie_library_call_t *out_call) {
  product_t p = {0};
  library_product_t l = {0};
  const genie_status_t status = read_product(lowering, &p);
  const bool is_readable = status == GENIE_OK;
  genie_status_free(status);
  if (!is_readable || !is_library_type(&p) || !is_whole_argument(lowering, &p.a) ||
      !is_whole_argument(lowering, &p.b) || !is_worth_a_call(lowering, &p) || !read_library_product(lowering, &p, &l)) {
    return false;
  }
  fill_matmul(lowering, &p, &l, out_call);
  return true;
}

genie_status_t genie_lower_gemm(genie_lowering_t *lowering) {
  product_t p = {0};
  staged_rows_t rows;
  if (lowering->target->is_cuda && find_staged_rows(lowering, &rows)) {
    return lower_gpu_staged(lowering, &rows);
  }
  GENIE_RETURN_IF_ERROR(read_product(lowering, &p));
  if (lowering->target->is_cuda) {
    return lower_gpu(lowering, &p);
  }
  if (p.a.width != 0) {
    return genie_lower_unimplemented(lowering, "the left-hand operand is a packed weight");
  }
  const int64_t element_bytes = p.a.dtype == GENIE_DTYPE_F64 ? 8 : 4;
  const bool is_gemv = p.b.width == 0 && is_one(p.b_k_stride) && genie_lower_maximum(lowering, p.m) <= GEMV_ROWS;
  return is_gemv ? lower_gemv(lowering, &p, element_bytes) : lower_blocked(lowering, &p, element_bytes);
}
