// Shape rules of convolutions and pools: x is [N, C, spatial..] with one to three spatial dimensions.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

enum { MAX_SPATIAL = 3 };

// Windows, strides and paddings beyond this are mistakes; sums of them do not overflow.
static const int64_t greatest_extent = INT32_MAX;

// One window along one spatial dimension.
typedef struct window {
  int64_t kernel, stride, padding_low, padding_high, dilation;
  bool rounds_up;
} window_t;

static MlirAffineExpr constant(const genie_shape_query_t *query, int64_t value) {
  return genie_dim_constant(query->context, value);
}

// The number of windows in `size`: (size + padding - dilation (kernel - 1) - 1) / stride + 1.
static genie_status_t window_count(const genie_shape_query_t *query, MlirAffineExpr size, const window_t *window,
                                   MlirAffineExpr *out_count) {
  if (window->kernel < 1 || window->stride < 1 || window->dilation < 1 || window->padding_low < 0 ||
      window->padding_high < 0) {
    return genie_shape_refuse("kernel, stride and dilation must be positive and padding not negative");
  }
  if (window->kernel > greatest_extent || window->stride > greatest_extent || window->dilation > greatest_extent ||
      window->padding_low > greatest_extent || window->padding_high > greatest_extent) {
    return genie_shape_refuse("kernel, stride, dilation and padding must be at most %lld", (long long)greatest_extent);
  }
  const int64_t taken = window->padding_low + window->padding_high - window->dilation * (window->kernel - 1) - 1;
  const int64_t extra = window->rounds_up ? window->stride - 1 : 0;
  const MlirAffineExpr room = genie_dim_add(size, constant(query, taken + extra));
  MlirAffineExpr count = genie_dim_add(genie_dim_floor_div(room, window->stride), constant(query, 1));
  int64_t known_count = 0;
  int64_t known_size = 0;
  if (genie_dim_is_constant(count, &known_count)) {
    // A window that starts in the padding after the input does not count (ATen's rule for ceil_mode).
    if (window->rounds_up && genie_dim_is_constant(size, &known_size) &&
        (known_count - 1) * window->stride >= known_size + window->padding_low) {
      count = constant(query, --known_count);
    }
    if (known_count < 1) {
      return genie_shape_refuse(
          "a window of %lld (dilation %lld) does not fit into %s elements with padding %lld + %lld",
          (long long)window->kernel, (long long)window->dilation, genie_shape_dim_text(size).text,
          (long long)window->padding_low, (long long)window->padding_high);
    }
  } else if (window->rounds_up && window->padding_low + window->padding_high != 0) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "ceil_mode with padding over a dynamic size %s",
                             genie_shape_dim_text(size).text);
  }
  *out_count = count;
  return GENIE_OK;
}

// Operand 0 as [N, C, spatial..].
static genie_status_t spatial_operand(const genie_shape_query_t *query, genie_tensor_type_t *out_x, int *out_spatial) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  *out_x = genie_shape_operand(query, 0);
  *out_spatial = out_x->rank - 2;
  if (*out_spatial < 1 || *out_spatial > MAX_SPATIAL) {
    return genie_shape_refuse("x must be [N, C, spatial..] with 1 to 3 spatial dimensions, not %s",
                              genie_shape_text(out_x, query->context).text);
  }
  return GENIE_OK;
}

// x and weight of a convolution agree in rank, dtype and channels; kernel sizes are constant.
static genie_status_t conv_operands(const genie_shape_query_t *query, int channel_dim, genie_tensor_type_t *out_x,
                                    genie_tensor_type_t *out_weight, int64_t *out_kernel) {
  int spatial = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  GENIE_RETURN_IF_ERROR(spatial_operand(query, out_x, &spatial));
  *out_weight = genie_shape_operand(query, 1);
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, out_x->dtype));
  const int64_t groups = genie_shape_i64(query, "groups");
  const int64_t channel_groups = channel_dim == 1 ? groups : 1;
  bool matches = groups >= 1 && out_weight->rank == out_x->rank;
  if (matches) {
    const MlirAffineExpr channels = genie_dim_mul(out_weight->dims[channel_dim], constant(query, channel_groups));
    matches = genie_dim_equal(out_x->dims[1], channels);
  }
  for (int i = 0; matches && i < spatial; ++i) {
    matches = genie_dim_is_constant(out_weight->dims[i + 2], &out_kernel[i]);
  }
  if (!matches) {
    return genie_shape_refuse("x %s and weight %s do not match with %lld groups",
                              genie_shape_text(out_x, query->context).text,
                              genie_shape_text(out_weight, query->context).text, (long long)groups);
  }
  return GENIE_OK;
}

genie_status_t genie_shape_conv(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t weight;
  int64_t kernel[MAX_SPATIAL];
  GENIE_RETURN_IF_ERROR(conv_operands(query, 1, &x, &weight, kernel));
  const int spatial = x.rank - 2;
  int64_t stride[GENIE_IR_MAX_RANK];
  int64_t low[GENIE_IR_MAX_RANK];
  int64_t high[GENIE_IR_MAX_RANK];
  int64_t dilation[GENIE_IR_MAX_RANK];
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "stride", spatial, stride, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "padding_low", spatial, low, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "padding_high", spatial, high, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "dilation", spatial, dilation, NULL));
  int64_t outputs = 0;
  const int64_t groups = genie_shape_i64(query, "groups");
  if (genie_dim_is_constant(weight.dims[0], &outputs) && outputs % groups != 0) {
    return genie_shape_refuse("%lld output channels do not divide into %lld groups", (long long)outputs,
                              (long long)groups);
  }
  GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, 2, weight.dims[0], "bias"));
  for (int i = 0; i < spatial; ++i) {
    const window_t window = {.kernel = kernel[i],
                             .stride = stride[i],
                             .padding_low = low[i],
                             .padding_high = high[i],
                             .dilation = dilation[i]};
    GENIE_RETURN_IF_ERROR(window_count(query, x.dims[i + 2], &window, &x.dims[i + 2]));
  }
  x.dims[1] = weight.dims[0];
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}

genie_status_t genie_shape_conv_transpose(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t weight;
  int64_t kernel[MAX_SPATIAL];
  GENIE_RETURN_IF_ERROR(conv_operands(query, 0, &x, &weight, kernel));
  const int spatial = x.rank - 2;
  int64_t stride[GENIE_IR_MAX_RANK];
  int64_t padding[GENIE_IR_MAX_RANK];
  int64_t extra[GENIE_IR_MAX_RANK];
  int64_t dilation[GENIE_IR_MAX_RANK];
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "stride", spatial, stride, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "padding", spatial, padding, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "output_padding", spatial, extra, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "dilation", spatial, dilation, NULL));
  const MlirAffineExpr outputs = genie_dim_mul(weight.dims[1], constant(query, genie_shape_i64(query, "groups")));
  GENIE_RETURN_IF_ERROR(genie_shape_require_vector(query, 2, outputs, "bias"));
  for (int i = 0; i < spatial; ++i) {
    if (stride[i] < 1 || dilation[i] < 1 || padding[i] < 0 || extra[i] < 0) {
      return genie_shape_refuse("stride and dilation must be positive and padding not negative");
    }
    if (kernel[i] > greatest_extent || stride[i] > greatest_extent || dilation[i] > greatest_extent ||
        padding[i] > greatest_extent || extra[i] > greatest_extent) {
      return genie_shape_refuse("kernel, stride, dilation and padding must be at most %lld",
                                (long long)greatest_extent);
    }
    // (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1
    const MlirAffineExpr steps =
        genie_dim_mul(genie_dim_sub(x.dims[i + 2], constant(query, 1)), constant(query, stride[i]));
    x.dims[i + 2] =
        genie_dim_add(steps, constant(query, dilation[i] * (kernel[i] - 1) + extra[i] + 1 - 2 * padding[i]));
  }
  x.dims[1] = outputs;
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}

genie_status_t genie_shape_pool(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  int spatial = 0;
  GENIE_RETURN_IF_ERROR(spatial_operand(query, &x, &spatial));
  int64_t kernel[GENIE_IR_MAX_RANK];
  int64_t stride[GENIE_IR_MAX_RANK];
  int64_t padding[GENIE_IR_MAX_RANK];
  int64_t dilation[GENIE_IR_MAX_RANK] = {1, 1, 1};
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "kernel", spatial, kernel, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "stride", spatial, stride, NULL));
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "padding", spatial, padding, NULL));
  if (!mlirAttributeIsNull(genie_op_attribute_get(query->attributes, "dilation"))) {
    GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "dilation", spatial, dilation, NULL));
  }
  for (int i = 0; i < spatial; ++i) {
    const window_t window = {.kernel = kernel[i],
                             .stride = stride[i],
                             .padding_low = padding[i],
                             .padding_high = padding[i],
                             .dilation = dilation[i],
                             .rounds_up = genie_shape_bool(query, "ceil_mode")};
    GENIE_RETURN_IF_ERROR(window_count(query, x.dims[i + 2], &window, &x.dims[i + 2]));
  }
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}

// adaptive_avg_pool and upsample: the stated result differs from x in its spatial dimensions only.
genie_status_t genie_shape_resample(const genie_shape_query_t *query, MlirType *out_types) {
  genie_tensor_type_t x;
  genie_tensor_type_t stated;
  int spatial = 0;
  GENIE_RETURN_IF_ERROR(spatial_operand(query, &x, &spatial));
  GENIE_RETURN_IF_ERROR(genie_shape_stated_type(query, 0, &stated));
  for (int i = 0; stated.rank == x.rank && i < spatial; ++i) {
    x.dims[i + 2] = stated.dims[i + 2];
  }
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}
