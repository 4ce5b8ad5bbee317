// linear and matmul: the gemm template, or gemv for a few rows against an unpacked weight.
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/operand.h"

enum { GPU_GEMV_ROWS = 8, GPU_GEMV_COLUMNS = 8, GPU_TILE = 64 };  // templates/cuda
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

static genie_status_t lower_gpu_gemv(genie_lowering_t *lowering, const product_t *p, bool is_double) {
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "gemv", is_double));
  lowering->threads = GPU_GEMV_COLUMNS / 2 * GENIE_GPU_WARP;
  lowering->grid = genie_dim_mul(p->batch, genie_lower_ceildiv(p->n, GPU_GEMV_COLUMNS));
  const int64_t rows = genie_lower_maximum(lowering, p->m);
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_rows", rows < 1 ? 1 : rows));
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

static genie_status_t lower_gpu(genie_lowering_t *lowering, const product_t *p) {
  const bool is_double = p->a.dtype == GENIE_DTYPE_F64;
  if (p->a.width + p->b.width != 0) {
    return genie_lower_unimplemented(lowering, "a weight in panels on a GPU");
  }
  const bool is_gemv = is_one(p->b_k_stride) && genie_lower_maximum(lowering, p->m) <= GPU_GEMV_ROWS;
  return is_gemv ? lower_gpu_gemv(lowering, p, is_double) : lower_gpu_tiles(lowering, p, is_double);
}

genie_status_t genie_lower_gemm(genie_lowering_t *lowering) {
  product_t p = {0};
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
