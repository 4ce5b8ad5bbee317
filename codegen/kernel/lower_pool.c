// max_pool, avg_pool, adaptive_avg_pool and upsample.
#include <stdio.h>
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/operand.h"

enum { SPATIAL = 3, BLOCK_CHANNELS = 64, KIND_MAX = 0, KIND_MEAN = 1, KIND_ADAPTIVE = 2 };

typedef struct pool {
  genie_operand_t x;
  int spatial;
  genie_tensor_type_t result;
} pool_t;

// Hooks genie_<name>0..2: dimension first + i of `dims` for the last `spatial`, `fill` for those before.
static genie_status_t define_sizes(genie_lowering_t *lowering, const char *name, const pool_t *p,
                                   const MlirAffineExpr *dims, int64_t fill) {
  for (int i = 0; i < SPATIAL; ++i) {
    char hook[32];
    const int d = i - (SPATIAL - p->spatial);
    snprintf(hook, sizeof(hook), "genie_%s%d", name, i);
    MlirAffineExpr size = d < 0 ? genie_dim_constant(lowering->context, fill) : dims[2 + d];
    GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, hook, size));
  }
  return GENIE_OK;
}

// Hooks genie_<name>0..2 from attribute `attribute`, with `fill` where it, or a dimension, is absent.
static genie_status_t define_numbers(genie_lowering_t *lowering, const char *name, const pool_t *p,
                                     const char *attribute, int64_t fill) {
  int64_t numbers[SPATIAL] = {0};
  const int count = attribute == NULL ? 0 : genie_ir_i64_array(lowering->anchor, attribute, SPATIAL, numbers);
  for (int i = 0; i < SPATIAL; ++i) {
    char hook[32];
    const int d = i - (SPATIAL - p->spatial);
    snprintf(hook, sizeof(hook), "genie_%s%d", name, i);
    const int64_t number = d < 0 || count == 0 ? fill : numbers[d < count ? d : 0];
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, hook, number));
  }
  return GENIE_OK;
}

// On a GPU a thread is one element of the result.
static genie_status_t define_threads(genie_lowering_t *lowering, const pool_t *p) {
  enum { THREADS = 256 };
  MlirAffineExpr pixels = genie_dim_product(lowering->context, p->spatial, p->result.dims + 2);
  MlirAffineExpr items = genie_dim_mul(genie_dim_mul(p->result.dims[0], p->result.dims[1]), pixels);
  int64_t channel_stride = 0;
  const bool is_last = genie_dim_is_constant(p->x.view.strides[1], &channel_stride) && channel_stride == 1;
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_pixels", pixels));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_channels_last", is_last));
  return genie_gpu_thread_grid(lowering, items, THREADS);
}

static genie_status_t define_hooks(genie_lowering_t *lowering, const pool_t *p, double taps) {
  const genie_strided_view_t *x = &p->x.view;
  MlirAffineExpr rows = genie_dim_product(lowering->context, p->spatial - 1, p->result.dims + 2);
  const int64_t channels = genie_lower_maximum(lowering, p->result.dims[1]);
  // Few pixels are shared among threads by channels.
  const bool is_split = genie_lower_maximum(lowering, genie_dim_mul(p->result.dims[0], rows)) < 16;
  const int64_t block = is_split ? BLOCK_CHANNELS : channels;
  lowering->grid = genie_dim_mul(genie_dim_mul(p->result.dims[0], rows), genie_lower_ceildiv(p->result.dims[1], block));
  lowering->grain = genie_lower_grain(taps * (double)block *
                                      (double)genie_lower_maximum(lowering, p->result.dims[p->result.rank - 1]) / 4);
  if (lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(define_threads(lowering, p));
  }
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_channels", p->result.dims[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_channels", block));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "x_size", p, x->dims, 1));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "y_size", p, p->result.dims, 1));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "x_stride", p, x->strides, 0));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_x_channel_stride", x->strides[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_x_dtype", p->x.dtype));
  const int ones[] = {1, 1};
  const genie_lower_space_t planes = genie_operand_space(2, p->result.dims, 2, ones);
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_x", &p->x, 2, &planes));
  const int arg_dims[] = {1, 1, p->spatial};
  const genie_lower_space_t space =
      genie_lower_space_split(mlirValueGetType(mlirOperationGetResult(lowering->anchor, 0)), 3, arg_dims);
  return genie_lower_define_store(lowering, "genie_store", &space);
}

static genie_status_t lower_upsample(genie_lowering_t *lowering, const pool_t *p, bool is_double) {
  const MlirStringRef mode = genie_ir_string(lowering->anchor, "mode");
  const bool is_nearest = mode.length >= 7 && memcmp(mode.data, "nearest", 7) == 0;
  const bool is_linear = mode.length >= 6 && memcmp(mode.data + mode.length - 6, "linear", 6) == 0;
  if (!is_nearest && !is_linear) {
    return genie_lower_unimplemented(lowering, "upsampling is by the nearest element or linear");
  }
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "upsample", is_double));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_linear", is_linear));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_centered", is_nearest && mode.length > 7));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_aligns_corners", genie_ir_bool(lowering->anchor, "align_corners")));
  return define_hooks(lowering, p, is_linear ? 8 : 1);
}

static genie_status_t lower_window(genie_lowering_t *lowering, const pool_t *p, bool is_double) {
  MlirOperation op = lowering->anchor;
  const bool is_max = genie_op_is(op, "genie.max_pool"), is_adaptive = genie_op_is(op, "genie.adaptive_avg_pool");
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "pool", is_double));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_kind",
                                               is_max        ? KIND_MAX
                                               : is_adaptive ? KIND_ADAPTIVE
                                                             : KIND_MEAN));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_includes_padding",
                                               !is_max && !is_adaptive && genie_ir_bool(op, "count_include_pad")));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "kernel_size", p, is_adaptive ? NULL : "kernel", 1));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "stride", p, is_adaptive ? NULL : "stride", 1));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "padding", p, is_adaptive ? NULL : "padding", 0));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "dilation", p, is_max ? "dilation" : NULL, 1));
  return define_hooks(lowering, p, 9);
}

genie_status_t genie_lower_pool(genie_lowering_t *lowering) {
  pool_t p = {.result = genie_value_type(mlirOperationGetResult(lowering->anchor, 0))};
  p.spatial = p.result.rank - 2;
  if (p.spatial < 1 || p.spatial > SPATIAL) {
    return genie_lower_unimplemented(lowering, "pooling has one to three spatial dimensions behind batch and channels");
  }
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(lowering->anchor, "x"), "the input", &p.x));
  const bool is_double = p.x.dtype == GENIE_DTYPE_F64;
  return genie_op_is(lowering->anchor, "genie.upsample") ? lower_upsample(lowering, &p, is_double)
                                                         : lower_window(lowering, &p, is_double);
}
