// Convolution, pooling and resampling.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/rule.h"

enum { MAX_SPATIAL = 3 };

static bool starts_with(const pt2_importer_t *im, const char *prefix) {
  return strncmp(pt2_mapping(im)->overload, prefix, strlen(prefix)) == 0;
}

// The number of spatial dimensions of x [N, C, spatial..]; 0 after refusing.
static int spatial_rank(pt2_importer_t *im, MlirValue x) {
  const int spatial = pt2_rank(x) - 2;
  if (spatial < 1 || spatial > MAX_SPATIAL) {
    if (!mlirValueIsNull(x)) {
      pt2_refuse(im, "shape", "needs [N, C, ..] of 1 to 3 spatial dimensions", "add the batch dimension");
    }
    return 0;
  }
  return spatial;
}

// An operand without batch dimension, as pools and convolutions take it by its number of dimensions.
static MlirValue with_batch(pt2_importer_t *im, MlirValue x, int wanted_rank, bool *out_is_added) {
  *out_is_added = pt2_rank(x) == wanted_rank - 1;
  return *out_is_added ? pt2_unsqueeze(im, x, 0) : x;
}

static MlirValue without_batch(pt2_importer_t *im, MlirValue x, bool is_added) {
  return is_added ? pt2_squeeze(im, x, 0) : x;
}

// conv*.padding takes "valid" or "same"; same puts the odd element at the high end.
static void named_padding(pt2_importer_t *im, const char *text, int spatial, MlirValue weight, const int64_t *dilation,
                          int64_t *out_low, int64_t *out_high) {
  for (int i = 0; i < spatial; ++i) {
    const int64_t total = dilation[i] * (pt2_static_dim(im, weight, 2 + i) - 1);
    out_low[i] = strcmp(text, "same") == 0 ? total / 2 : 0;
    out_high[i] = strcmp(text, "same") == 0 ? total - total / 2 : 0;
  }
}

static MlirValue conv_transpose(pt2_importer_t *im, const pt2_node_t *node, int spatial, const MlirValue operands[3],
                                const int64_t *stride, const int64_t *padding, const int64_t *dilation) {
  int64_t output_padding[MAX_SPATIAL];
  pt2_ints_of(im, node, "output_padding", spatial, 0, output_padding);
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64s(im, "stride", spatial, stride), pt2_attr_i64s(im, "padding", spatial, padding),
      pt2_attr_i64s(im, "output_padding", spatial, output_padding), pt2_attr_i64s(im, "dilation", spatial, dilation),
      pt2_attr_i64(im, "groups", pt2_int(im, node, "groups", 1))};
  return pt2_build(im, "genie.conv_transpose", 3, operands, 5, attributes);
}

// conv{1,2,3}d, conv_transpose{1,2,3}d, convolution and _convolution
void pt2_rule_conv(pt2_importer_t *im, const pt2_node_t *node) {
  const MlirValue weight = pt2_tensor(im, node, "weight");
  bool is_added;
  const MlirValue x = with_batch(im, pt2_tensor(im, node, "input"), pt2_rank(weight), &is_added);
  const int spatial = spatial_rank(im, x);
  if (spatial == 0 || pt2_rank(weight) != spatial + 2) {
    pt2_refuse(im, "shape", "operand and weight differ in dimensions", "use [N, C, ..] with [O, C, ..]");
    return;
  }
  int64_t stride[MAX_SPATIAL], dilation[MAX_SPATIAL], low[MAX_SPATIAL], high[MAX_SPATIAL];
  pt2_ints_of(im, node, "stride", spatial, 1, stride);
  pt2_ints_of(im, node, "dilation", spatial, 1, dilation);
  const genie_pt2_arg_t *padding = pt2_arg(node, "padding");
  if (padding != NULL && padding->kind == GENIE_PT2_STRING) {
    named_padding(im, padding->text, spatial, weight, dilation, low, high);
  } else {
    pt2_ints_of(im, node, "padding", spatial, 0, low);
    memcpy(high, low, sizeof high);
  }
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const MlirValue operands[] = {x, weight, pt2_cast(im, pt2_optional_tensor(im, node, "bias"), dtype)};
  if (starts_with(im, "conv_transpose") || pt2_bool(im, node, "transposed", false)) {
    pt2_bind(im, node, 0,
             without_batch(im, conv_transpose(im, node, spatial, operands, stride, low, dilation), is_added));
    return;
  }
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64s(im, "stride", spatial, stride), pt2_attr_i64s(im, "padding_low", spatial, low),
      pt2_attr_i64s(im, "padding_high", spatial, high), pt2_attr_i64s(im, "dilation", spatial, dilation),
      pt2_attr_i64(im, "groups", pt2_int(im, node, "groups", 1))};
  pt2_bind(im, node, 0, without_batch(im, pt2_build(im, "genie.conv", 3, operands, 5, attributes), is_added));
}

// The digit in "max_pool2d": the number of spatial dimensions.
static int spatial_of_name(const pt2_importer_t *im) {
  const pt2_mapping_t *mapping = pt2_mapping(im);
  for (size_t i = 0; i + 1 < mapping->overload_length; ++i) {
    const char c = mapping->overload[i];
    if (c >= '1' && c <= '3' && mapping->overload[i + 1] == 'd') {
      return c - '0';
    }
  }
  return 2;
}

// max_pool and avg_pool; the indices that max_pool*_with_indices yields as well are for training.
void pt2_rule_pool(pt2_importer_t *im, const pt2_node_t *node) {
  const int spatial = spatial_of_name(im);
  bool is_added;
  const MlirValue x = with_batch(im, pt2_tensor(im, node, "self"), spatial + 2, &is_added);
  int64_t kernel[MAX_SPATIAL], stride[MAX_SPATIAL], padding[MAX_SPATIAL], dilation[MAX_SPATIAL], given[MAX_SPATIAL];
  pt2_ints_of(im, node, "kernel_size", spatial, 1, kernel);
  pt2_ints_of(im, node, "stride", spatial, 1, stride);
  if (pt2_ints(im, node, "stride", MAX_SPATIAL, given) == 0) {
    memcpy(stride, kernel, sizeof stride);
  }
  pt2_ints_of(im, node, "padding", spatial, 0, padding);
  pt2_ints_of(im, node, "dilation", spatial, 1, dilation);
  const bool is_max = strcmp(pt2_mapping(im)->op->name, "genie.max_pool") == 0;
  if (pt2_arg(node, "divisor_override") != NULL) {
    pt2_refuse(im, "argument", "divisor_override", "scale the result instead");
  }
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64s(im, "kernel", spatial, kernel), pt2_attr_i64s(im, "stride", spatial, stride),
      pt2_attr_i64s(im, "padding", spatial, padding),
      pt2_attr_bool(im, "ceil_mode", pt2_bool(im, node, "ceil_mode", false)),
      is_max ? pt2_attr_i64s(im, "dilation", spatial, dilation)
             : pt2_attr_bool(im, "count_include_pad", pt2_bool(im, node, "count_include_pad", true))};
  pt2_bind(im, node, 0, without_batch(im, pt2_build(im, pt2_mapping(im)->op->name, 1, &x, 5, attributes), is_added));
}

// Sizes are those of the result. One window over all is a mean, which fuses better.
void pt2_rule_adaptive_pool(pt2_importer_t *im, const pt2_node_t *node) {
  const int spatial = spatial_of_name(im);
  bool is_added;
  const MlirValue x = with_batch(im, pt2_tensor(im, node, "self"), spatial + 2, &is_added);
  genie_tensor_type_t type = pt2_result_type(im, node, 0);
  if (is_added) {
    memmove(&type.dims[1], &type.dims[0], (size_t)type.rank * sizeof type.dims[0]);
    type.dims[0] = pt2_constant_dim(im, 1);
    ++type.rank;
  }
  bool is_global = type.rank == spatial + 2;
  int64_t axes[MAX_SPATIAL], size;
  for (int i = 0; i < spatial && is_global; ++i) {
    axes[i] = 2 + i;
    is_global = genie_dim_is_constant(type.dims[2 + i], &size) && size == 1;
  }
  const MlirValue result = is_global ? pt2_reduce(im, "genie.mean", x, spatial, axes, true)
                                     : pt2_build_typed(im, "genie.adaptive_avg_pool", 1, &x, 0, NULL, &type);
  pt2_bind(im, node, 0, without_batch(im, result, is_added));
}

// adaptive_max_pool to one element is amax; to a divisor of the size, a max_pool.
static void rule_adaptive_max_pool(pt2_importer_t *im, const pt2_node_t *node) {
  const int spatial = spatial_of_name(im);
  bool is_added;
  const MlirValue x = with_batch(im, pt2_tensor(im, node, "self"), spatial + 2, &is_added);
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  int64_t kernel[MAX_SPATIAL], padding[MAX_SPATIAL] = {0}, dilation[MAX_SPATIAL];
  for (int i = 0; i < spatial && !pt2_has_failed(im); ++i) {
    int64_t to = 1;
    const int64_t from = pt2_static_dim(im, x, 2 + i);
    if (!genie_dim_is_constant(type.dims[type.rank - spatial + i], &to) || to < 1 || from % to != 0) {
      pt2_refuse(im, "shape", "windows of unequal sizes", "use a size that divides the operand's");
      return;
    }
    kernel[i] = from / to;
    dilation[i] = 1;
  }
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_i64s(im, "kernel", spatial, kernel), pt2_attr_i64s(im, "stride", spatial, kernel),
      pt2_attr_i64s(im, "padding", spatial, padding), pt2_attr_i64s(im, "dilation", spatial, dilation)};
  pt2_bind(im, node, 0, without_batch(im, pt2_build(im, "genie.max_pool", 1, &x, 4, attributes), is_added));
}

// upsample_{nearest,linear,bilinear,trilinear}*.vec and .default
void pt2_rule_upsample(pt2_importer_t *im, const pt2_node_t *node) {
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  const MlirValue x = pt2_tensor_of(im, node->input_count > 0 ? &node->inputs[0].arg : NULL);
  const char *mode = starts_with(im, "upsample_nearest_exact") || starts_with(im, "_upsample_nearest_exact")
                         ? "nearest_exact"
                     : starts_with(im, "upsample_nearest") ? "nearest"
                     : starts_with(im, "upsample_bicubic") ? "bicubic"
                                                           : "linear";
  const genie_ir_attribute_t attributes[] = {
      pt2_attr_string(im, "mode", mode),
      pt2_attr_bool(im, "align_corners", pt2_bool(im, node, "align_corners", false))};
  pt2_bind(im, node, 0, pt2_build_typed(im, "genie.upsample", 1, &x, 2, attributes, &type));
}

//===-- Bicubic resampling ----------------------------------------------------------------------------------------===//

enum { MAX_CUBIC_SIZE = 4096 };

// The cubic convolution of Keys (1981) with a = -0.75, at distance `t` from a pixel.
static double cubic_weight(double t) {
  const double a = -0.75;
  t = fabs(t);
  return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

// The matrix [to, from] that resamples one dimension; places beyond the border count for the border's pixel.
static MlirValue cubic_matrix(pt2_importer_t *im, int64_t from, int64_t to, double step, bool is_aligned) {
  double *weights = calloc((size_t)(to * from), sizeof(double));
  if (weights == NULL) {
    pt2_fail(im, genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a resampling matrix"));
    return (MlirValue){NULL};
  }
  for (int64_t i = 0; i < to; ++i) {
    const double place = is_aligned ? step * (double)i : step * ((double)i + 0.5) - 0.5;
    const int64_t first = (int64_t)floor(place) - 1;
    for (int64_t k = first; k < first + 4; ++k) {
      const int64_t pixel = k < 0 ? 0 : k >= from ? from - 1 : k;
      weights[i * from + pixel] += cubic_weight(place - (double)k);
    }
  }
  const int64_t dims[] = {to, from};
  const MlirType type = genie_type_make_static(pt2_context(im), GENIE_DTYPE_F64, 2, dims);
  const genie_ir_attribute_t value = {"value", mlirDenseElementsAttrDoubleGet(type, (intptr_t)(to * from), weights)};
  free(weights);
  const genie_tensor_type_t stated = genie_type_get(type);
  return pt2_build_typed(im, "genie.constant", 0, NULL, 1, &value, &stated);
}

// How far source places lie apart: given by a scale factor where there is one.
static double cubic_step(const pt2_node_t *node, int axis, int64_t from, int64_t to, bool is_aligned) {
  const genie_pt2_arg_t *factors = pt2_arg(node, "scale_factors");
  if (is_aligned) {
    return to > 1 ? (double)(from - 1) / (double)(to - 1) : 0;
  }
  const bool has_factor = factors != NULL && factors->kind == GENIE_PT2_LIST && factors->count > axis &&
                          factors->items[axis].kind == GENIE_PT2_FLOAT && factors->items[axis].number > 0;
  return has_factor ? 1 / factors->items[axis].number : (double)from / (double)to;
}

// upsample_bicubic2d.vec: rows and columns are resampled by two products with fixed matrices.
static void rule_bicubic(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "input");
  const genie_tensor_type_t to = pt2_result_type(im, node, 0);
  const genie_dtype_t dtype = pt2_type(x).dtype;
  const bool is_aligned = pt2_bool(im, node, "align_corners", false);
  int64_t sizes[2];
  for (int i = 0; i < 2; ++i) {
    const int64_t from = pt2_static_dim(im, x, 2 + i);
    if (!genie_dim_is_constant(to.dims[2 + i], &sizes[i]) || from > MAX_CUBIC_SIZE || sizes[i] > MAX_CUBIC_SIZE) {
      pt2_refuse(im, "argument", "bicubic resampling to a dynamic or very large size",
                 "export with a fixed image size");
    }
  }
  const genie_dtype_t work = dtype == GENIE_DTYPE_F64 ? dtype : GENIE_DTYPE_F32;
  x = pt2_cast(im, x, work);
  for (int i = 1; i >= 0 && !pt2_has_failed(im); --i) {
    const int64_t from = pt2_static_dim(im, x, 3);
    const double step = cubic_step(node, i, from, sizes[i], is_aligned);
    const MlirValue matrix = pt2_cast(im, cubic_matrix(im, from, sizes[i], step, is_aligned), work);
    const MlirValue operands[] = {x, matrix, {NULL}};
    // Rows are last after the columns; after the rows the image stands as it did.
    x = pt2_transpose(im, pt2_build(im, "genie.linear", 3, operands, 0, NULL), 2, 3);
  }
  pt2_bind(im, node, 0, pt2_cast(im, x, dtype));
}

//===-- Windows as columns ----------------------------------------------------------------------------------------===//

enum { MAX_WINDOW = 64 };

// im2col: [N, C, H, W] -> [N, C * window, places], the pixels of each window beside each other.
static void rule_windows_as_columns(pt2_importer_t *im, const pt2_node_t *node) {
  MlirValue x = pt2_tensor(im, node, "self");
  int64_t kernel[2], dilation[2], padding[2], stride[2], out[2];
  pt2_ints_of(im, node, "kernel_size", 2, 1, kernel);
  pt2_ints_of(im, node, "dilation", 2, 1, dilation);
  pt2_ints_of(im, node, "padding", 2, 0, padding);
  pt2_ints_of(im, node, "stride", 2, 1, stride);
  if (pt2_rank(x) != 4 || kernel[0] < 1 || kernel[1] < 1 || kernel[0] * kernel[1] > MAX_WINDOW) {
    pt2_refuse(im, "argument", "columns of other than a batch of images, or of large windows", "use a convolution");
    return;
  }
  for (int i = 0; i < 2; ++i) {
    out[i] = (pt2_static_dim(im, x, 2 + i) + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
  }
  const int64_t border[] = {0, 0, padding[0], padding[1]};
  const genie_ir_attribute_t pads[] = {pt2_attr_i64s(im, "low", 4, border), pt2_attr_i64s(im, "high", 4, border)};
  x = padding[0] + padding[1] > 0 ? pt2_build(im, "genie.pad", 1, &x, 2, pads) : x;
  MlirValue parts[MAX_WINDOW];
  const MlirAffineExpr row[] = {pt2_dim(im, x, 0), pt2_dim(im, x, 1), pt2_constant_dim(im, 1),
                                pt2_constant_dim(im, out[0] * out[1])};
  for (int64_t k = 0; k < kernel[0] * kernel[1]; ++k) {
    const int64_t starts[] = {k / kernel[1] * dilation[0], k % kernel[1] * dilation[1]};
    MlirValue part = x;
    for (int i = 0; i < 2; ++i) {
      part = pt2_slice(im, part, 2 + i, pt2_constant_dim(im, starts[i]), pt2_constant_dim(im, out[i]), stride[i]);
    }
    parts[k] = pt2_reshape(im, part, 4, row);
  }
  const MlirValue joined = pt2_concat(im, (int)(kernel[0] * kernel[1]), parts, 2);
  const genie_tensor_type_t type = pt2_result_type(im, node, 0);
  pt2_bind(im, node, 0, pt2_reshape(im, joined, type.rank, type.dims));
}

const pt2_rule_row_t pt2_window_composites[] = {
    {"im2col.default", rule_windows_as_columns},
    {"upsample_bicubic2d.vec", rule_bicubic},
    {"adaptive_max_pool1d.default", rule_adaptive_max_pool},
    {"adaptive_max_pool2d.default", rule_adaptive_max_pool},
    {NULL, NULL},
};
