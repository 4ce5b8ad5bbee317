#include "codegen/kernel/operand.h"

#include <stdio.h>
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"

enum {
  TILE_ROWS = 12,         // of the widest target; a multiple of every target's
  PANEL_BYTES = 128,      // width of a panel of weights
  BLOCK_BYTES = 2 << 20,  // at most, for the packed rows of a task
  DEPTH = 384,            // a tile's panels over so many steps fit the caches
  MOST_ROWS = 240,
  LINE_BYTES = 64,
};

static bool is_real(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

static genie_status_t refuse(const genie_lowering_t *lowering, const char *role, const char *reason) {
  char text[160];
  snprintf(text, sizeof(text), "%s %s", role, reason);
  return genie_lower_unimplemented(lowering, text);
}

// The genie.unpack that views lead to from `value`, or null.
static MlirOperation find_unpack(MlirValue value) {
  while (mlirValueIsAOpResult(value)) {
    MlirOperation op = mlirOpResultGetOwner(value);
    if (genie_op_is(op, "genie.unpack")) {
      return op;
    }
    if (!genie_op_has_rule(op, "view")) {
      break;
    }
    value = mlirOperationGetOperand(op, 0);
  }
  return (MlirOperation){NULL};
}

genie_status_t genie_operand_get(const genie_lowering_t *lowering, MlirValue value, const char *role,
                                 genie_operand_t *out_operand) {
  *out_operand = (genie_operand_t){.dtype = genie_lower_dtype(value)};
  if (!is_real(out_operand->dtype)) {
    return refuse(lowering, role, "is not of a floating-point type");
  }
  MlirOperation unpack = find_unpack(value);
  if (mlirOperationIsNull(unpack)) {
    return genie_lower_view(lowering, value, &out_operand->view) ? GENIE_OK
                                                                 : refuse(lowering, role, "is no strided view");
  }
  const MlirStringRef format = genie_ir_string(unpack, "format");
  snprintf(out_operand->format, sizeof(out_operand->format), "%.*s", (int)format.length, format.data);
  out_operand->width = genie_ir_i64(unpack, "width");
  out_operand->groups = genie_ir_i64(unpack, "groups");
  if (out_operand->width * (out_operand->dtype == GENIE_DTYPE_F64 ? 8 : 4) % PANEL_BYTES != 0) {
    return refuse(lowering, role, "is packed to a width that no template reads");
  }
  MlirValue packed = mlirOperationGetOperand(unpack, 0);
  return genie_lower_view(lowering, packed, &out_operand->view) ? GENIE_OK
                                                                : refuse(lowering, role, "is no packed weight");
}

bool genie_operand_has_groups(const genie_operand_t *operand, int dim) {
  const genie_strided_view_t *view = &operand->view;
  const int64_t group = 16 / (int64_t)genie_dtype_bytes(operand->dtype);
  int64_t value = 0;
  if (operand->width != 0 || !genie_dim_is_constant(view->offset, &value) || value % group != 0) {
    return false;
  }
  for (int d = 0; d < view->rank; ++d) {
    int64_t size = 0;
    const bool is_single = genie_dim_is_constant(view->dims[d], &size) && size == 1;
    if (d == dim) {
      if (size == 0 || size % group != 0 || !genie_dim_is_constant(view->strides[d], &value) || value != 1) {
        return false;
      }
    } else if (!is_single && (!genie_dim_is_constant(view->strides[d], &value) || value % group != 0)) {
      return false;
    }
  }
  return true;
}

bool genie_operand_is_narrow_pair(const genie_operand_t *a, const genie_operand_t *b) {
  return a->dtype == b->dtype && (a->dtype == GENIE_DTYPE_F16 || a->dtype == GENIE_DTYPE_BF16);
}

genie_lower_space_t genie_operand_space(int rank, const MlirAffineExpr *dims, int arg_count, const int *arg_dims) {
  genie_lower_space_t space = {.rank = rank, .arg_count = arg_count};
  for (int d = 0; d < rank; ++d) {
    space.dims[d] = dims[d];
    space.order[d] = d;
  }
  for (int a = 0; a < arg_count; ++a) {
    space.arg_dims[a] = arg_dims[a];
  }
  return space;
}

genie_status_t genie_operand_define_base(genie_lowering_t *lowering, const char *name, const genie_operand_t *operand,
                                         int rank, const genie_lower_space_t *space) {
  genie_strided_view_t base = operand->view;
  base.rank = operand->width != 0 ? 0 : rank;
  return genie_lower_define_address(lowering, name, &base, space);
}

genie_status_t genie_operand_define_bias(genie_lowering_t *lowering, MlirValue bias) {
  const bool has_bias = !mlirValueIsNull(bias);
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_has_bias", has_bias));
  if (!has_bias) {
    return genie_lower_define_f64(lowering, "genie_bias", 0);
  }
  const genie_lower_space_t space = genie_lower_space_of(mlirValueGetType(bias));
  return genie_lower_define_load(lowering, "genie_bias", bias, &space);
}

genie_status_t genie_operand_define_pair_store(genie_lowering_t *lowering, MlirAffineExpr n,
                                               const genie_lower_space_t *space) {
  int64_t columns = 0;
  const bool has_pairs = strncmp(lowering->state->template_name, "gemm_mma", 8) == 0;
  const bool is_even = genie_dim_is_constant(n, &columns) && columns > 1 && columns % 2 == 0;
  return genie_gpu_define_stores(lowering, "genie_store", has_pairs && is_even ? 2 : 1, space);
}

genie_status_t genie_operand_use_template(genie_lowering_t *lowering, const char *stem, bool is_double) {
  char name[64];
  const char *width = lowering->target->is_cuda ? "" : lowering->target->vector_bytes >= 64 ? "_64" : "_32";
  snprintf(name, sizeof(name), "%s_%s%s", stem, is_double ? "f64" : "f32", width);
  return genie_lower_use_template(lowering, name);
}

static int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

genie_gemm_block_t genie_gemm_block_choose(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t element_bytes) {
  const int64_t width = PANEL_BYTES / element_bytes;
  int64_t most_rows = BLOCK_BYTES / element_bytes / (k > 0 ? k : 1) / TILE_ROWS * TILE_ROWS;
  most_rows = most_rows > MOST_ROWS ? MOST_ROWS : most_rows < TILE_ROWS ? TILE_ROWS : most_rows;
  const int64_t row_blocks = (m + most_rows - 1) / most_rows;
  genie_gemm_block_t block = {
      .rows = round_up((m + row_blocks - 1) / (row_blocks > 0 ? row_blocks : 1), TILE_ROWS),
      .columns = 2 * width,
      .depth = k <= DEPTH + DEPTH / 2 ? k : DEPTH,
  };
  // With rows enough for every thread, a task takes all columns: the packed rows are used once more for each.
  if (batch * row_blocks >= 8 && n <= 16 * width) {
    block.columns = round_up(n, width);
  }
  block.rows = block.rows < TILE_ROWS ? TILE_ROWS : block.rows;
  block.depth = block.depth < 1 ? 1 : block.depth;
  return block;
}

genie_status_t genie_gemm_block_define(genie_lowering_t *lowering, const genie_gemm_block_t *block,
                                       MlirAffineExpr batch, MlirAffineExpr m, MlirAffineExpr n, MlirAffineExpr k,
                                       int64_t element_bytes, uint64_t extra_bytes) {
  int64_t m_value = 0;
  const bool is_known = genie_dim_is_constant(m, &m_value);
  const int64_t tile_rows = lowering->target->vector_bytes >= 64 ? TILE_ROWS : TILE_ROWS / 2;
  const uint64_t depth = (uint64_t)genie_lower_maximum(lowering, k);
  const uint64_t elements = (uint64_t)block->rows * (depth + (uint64_t)block->columns) +
                            (uint64_t)(block->depth * (PANEL_BYTES / element_bytes));
  lowering->grid =
      genie_dim_mul(genie_dim_mul(batch, genie_lower_ceildiv(m, block->rows)), genie_lower_ceildiv(n, block->columns));
  lowering->grain = genie_lower_grain((double)block->rows * (double)block->columns * (double)depth / 32);
  lowering->scratch_bytes = elements * (uint64_t)element_bytes + LINE_BYTES + extra_bytes;
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_n", n));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_k", k));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_rows", block->rows));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_columns", block->columns));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_depth", block->depth));
  return genie_lower_define_i64(lowering, "genie_tail_rows", is_known ? m_value % tile_rows : 0);
}
