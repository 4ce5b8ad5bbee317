// conv and conv_transpose: the blocked product over taps; of one tap a plain product of pixels; minimal filtering where
// the weight is packed for it; or the depthwise template over channels-last images.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/library_call.h"
#include "codegen/kernel/operand.h"
#include "ir/device_kind.h"
#include "runtime/plan/library_call.h"

enum {
  SPATIAL = 3,
  SMALL_WEIGHT_BYTES = 512 << 10,  // stays in the L2 cache beside the rows of a task
  SMALL_BLOCK_BYTES = 320 << 10,
  TILE_ROWS = 12,
  PANEL_BYTES = 128,  // width of a panel of weights
  FEW_TASKS = 8,
  GPU_TILE = 64,                 // pixels and channels of a block: templates/cuda
  FILTER_BLOCK_BYTES = 1 << 20,  // minimal filtering: the transformed input of a task, at most
  FILTER_LEAST_TASKS = 8,
  FILTER_LEAST_TILES = 24,  // of a task, where it is cut for more tasks
  FILTER_DEPTH = 128,
};

typedef struct conv {
  genie_operand_t x, weight;
  MlirValue bias;
  bool is_transposed;
  int spatial;                  // spatial dimensions
  int64_t groups, channels, n;  // channels of the input and of the output in a group
  int64_t kernel[SPATIAL], stride[SPATIAL], padding[SPATIAL], dilation[SPATIAL];  // the last `spatial` are used
  MlirAffineExpr x_size[SPATIAL], y_size[SPATIAL], x_stride[SPATIAL], weight_stride[SPATIAL];
  genie_tensor_type_t result;
} conv_t;

static void read_numbers(MlirOperation op, const char *name, int spatial, int64_t fill, int64_t out[SPATIAL]) {
  int64_t numbers[SPATIAL] = {0};
  const int count = genie_ir_i64_array(op, name, SPATIAL, numbers);
  for (int i = 0; i < SPATIAL; ++i) {
    const int source = i - (SPATIAL - spatial);
    out[i] = source < 0 ? fill : numbers[source < count ? source : 0];
  }
}

static genie_status_t read_channels(genie_lowering_t *lowering, conv_t *c) {
  int64_t x_channels = 0, y_channels = 0;
  const genie_tensor_type_t weight = genie_value_type(genie_ir_operand(lowering->anchor, "weight"));
  if (!genie_dim_is_constant(c->x.view.dims[1], &x_channels) ||
      !genie_dim_is_constant(c->result.dims[1], &y_channels)) {
    return genie_lower_unimplemented(lowering, "the number of channels is not known");
  }
  c->groups = genie_ir_i64(lowering->anchor, "groups");
  c->channels = x_channels / c->groups;
  c->n = y_channels / c->groups;
  for (int i = 0; i < SPATIAL; ++i) {
    const int d = i - (SPATIAL - c->spatial);
    c->kernel[i] = 1;
    if (d >= 0 && !genie_dim_is_constant(weight.dims[2 + d], &c->kernel[i])) {
      return genie_lower_unimplemented(lowering, "the size of the kernel is not known");
    }
  }
  return GENIE_OK;
}

static genie_status_t read_conv(genie_lowering_t *lowering, conv_t *c) {
  MlirOperation op = lowering->anchor;
  MlirAffineExpr one = genie_dim_constant(lowering->context, 1), zero = genie_dim_constant(lowering->context, 0);
  c->is_transposed = genie_op_is(op, "genie.conv_transpose");
  c->bias = genie_ir_operand(op, "bias");
  c->result = genie_value_type(mlirOperationGetResult(op, 0));
  c->spatial = c->result.rank - 2;
  if (c->spatial < 1 || c->spatial > SPATIAL) {
    return genie_lower_unimplemented(lowering, "a convolution has one to three spatial dimensions");
  }
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(op, "x"), "the input", &c->x));
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(op, "weight"), "the weight", &c->weight));
  GENIE_RETURN_IF_ERROR(read_channels(lowering, c));
  read_numbers(op, "stride", c->spatial, 1, c->stride);
  read_numbers(op, c->is_transposed ? "padding" : "padding_low", c->spatial, 0, c->padding);
  read_numbers(op, "dilation", c->spatial, 1, c->dilation);
  for (int i = 0; i < SPATIAL; ++i) {
    const int d = i - (SPATIAL - c->spatial);
    c->x_size[i] = d < 0 ? one : c->x.view.dims[2 + d];
    c->x_stride[i] = d < 0 ? zero : c->x.view.strides[2 + d];
    c->y_size[i] = d < 0 ? one : c->result.dims[2 + d];
    c->weight_stride[i] = d < 0 || c->weight.width != 0 ? zero : c->weight.view.strides[2 + d];
  }
  return GENIE_OK;
}

// Hooks `name0`..: of the last `count` spatial dimensions, numbered from 0.
static genie_status_t define_numbers(genie_lowering_t *lowering, const char *name, int count,
                                     const int64_t numbers[SPATIAL]) {
  for (int i = 0; i < count; ++i) {
    char hook[32];
    snprintf(hook, sizeof(hook), "genie_%s%d", name, i);
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, hook, numbers[SPATIAL - count + i]));
  }
  return GENIE_OK;
}

static genie_status_t define_sizes(genie_lowering_t *lowering, const char *name, int count,
                                   const MlirAffineExpr sizes[SPATIAL]) {
  for (int i = 0; i < count; ++i) {
    char hook[32];
    snprintf(hook, sizeof(hook), "genie_%s%d", name, i);
    GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, hook, sizes[SPATIAL - count + i]));
  }
  return GENIE_OK;
}

// What both templates ask for, of the last `count` spatial dimensions.
static genie_status_t define_hooks(genie_lowering_t *lowering, const conv_t *c, int count) {
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "x_size", count, c->x_size));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "y_size", count, c->y_size));
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, "x_stride", count, c->x_stride));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "kernel_size", count, c->kernel));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "stride", count, c->stride));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "padding", count, c->padding));
  GENIE_RETURN_IF_ERROR(define_numbers(lowering, "dilation", count, c->dilation));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_channels", c->channels * (count == 2 ? c->groups : 1)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_x_dtype", c->x.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_weight_dtype", c->weight.dtype));
  const genie_lower_space_t none = genie_operand_space(0, NULL, 0, NULL);
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_weight", &c->weight, 0, &none));
  GENIE_RETURN_IF_ERROR(genie_operand_define_bias(lowering, c->bias));
  const int arg_dims[] = {1, 1, c->spatial};
  const genie_lower_space_t space =
      genie_lower_space_split(mlirValueGetType(mlirOperationGetResult(lowering->anchor, 0)), 3, arg_dims);
  return genie_lower_define_store(lowering, "genie_store", &space);
}

static bool is_number(MlirAffineExpr dim, int64_t number) {
  int64_t value = 0;
  return genie_dim_is_constant(dim, &value) && value == number;
}

// One channel a group, in an image that the depthwise template reads: of a packed weight, or channels apart.
static bool is_depthwise(const genie_lowering_t *lowering, const conv_t *c) {
  const bool is_one = c->channels == 1 && c->n == 1 && !c->is_transposed && c->spatial <= 2;
  return is_one && (lowering->target->is_cuda || c->weight.width != 0 || !is_number(c->x.view.strides[1], 1));
}

// Whether the two kernel dimensions of a strided weight can be walked as one.
static bool has_dense_taps(const conv_t *c) {
  MlirAffineExpr row = genie_dim_mul(c->weight_stride[2],
                                     genie_dim_constant(mlirAffineExprGetContext(c->weight_stride[2]), c->kernel[2]));
  return c->weight.width == 0 && (c->kernel[1] == 1 || mlirAffineExprEqual(c->weight_stride[1], row));
}

// On a GPU a thread is one element of the result.
static genie_status_t define_depthwise_threads(genie_lowering_t *lowering, const conv_t *c) {
  enum { THREADS = 256 };
  MlirAffineExpr pixels = genie_dim_product(lowering->context, SPATIAL, c->y_size);
  MlirAffineExpr items = genie_dim_mul(genie_dim_mul(c->result.dims[0], c->result.dims[1]), pixels);
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_pixels", pixels));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_channels_last", is_number(c->x.view.strides[1], 1)));
  return genie_gpu_thread_grid(lowering, items, THREADS);
}

static genie_status_t lower_depthwise(genie_lowering_t *lowering, const conv_t *c, int64_t element_bytes) {
  const int one = 1;
  const genie_lower_space_t images = genie_operand_space(1, c->result.dims, 1, &one);
  const bool is_packed = c->weight.width != 0;
  const int64_t columns = genie_lower_maximum(lowering, c->y_size[2]), taps = c->kernel[1] * c->kernel[2];
  MlirAffineExpr unit = genie_dim_constant(lowering->context, 1);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "conv_depthwise", element_bytes == 8));
  lowering->grid = genie_dim_mul(c->result.dims[0], c->y_size[1]);
  lowering->grain = genie_lower_grain((double)(columns * c->groups * taps) / 8);
  lowering->scratch_bytes = (uint64_t)(columns * element_bytes);
  if (lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(define_depthwise_threads(lowering, c));
  }
  // A strided weight is dense, so that its taps are one dimension.
  MlirAffineExpr tap_stride = is_packed ? c->weight.view.dims[c->weight.view.rank - 1] : c->weight_stride[2];
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_x", &c->x, 1, &images));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_x_channel_stride", c->x.view.strides[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_weight_tap_stride", tap_stride));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_size(lowering, "genie_weight_channel_stride", is_packed ? unit : c->weight.view.strides[0]));
  return define_hooks(lowering, c, 2);
}

// Sets the step from pixel to pixel and returns true where one tap reads every pixel in order: then a convolution is
// the product of an image, [pixels, channels], with the weight.
static bool is_plain_product(const genie_lowering_t *lowering, const conv_t *c, MlirAffineExpr *out_step) {
  MlirAffineExpr extent = genie_dim_constant(lowering->context, 1);
  *out_step = genie_dim_constant(lowering->context, 0);
  for (int i = SPATIAL - 1; i >= 0; --i) {
    if (c->kernel[i] != 1 || c->stride[i] != 1 || c->padding[i] != 0 ||
        !mlirAffineExprEqual(c->x_size[i], c->y_size[i])) {
      return false;
    }
    if (is_number(c->x_size[i], 1)) {
      continue;
    }
    if (is_number(extent, 1)) {
      *out_step = c->x_stride[i];
    } else if (!mlirAffineExprEqual(c->x_stride[i], genie_dim_mul(*out_step, extent))) {
      return false;
    }
    extent = genie_dim_mul(extent, c->x_size[i]);
  }
  return c->groups == 1 && !c->is_transposed;
}

// Few tasks are cut by single panels, so that threads get equal shares; the rows of a thread's tasks are packed once
// all the same.
static void cut_few_tasks(int64_t batch, int64_t m, const conv_t *c, int64_t element_bytes, genie_gemm_block_t *block) {
  const int64_t row_blocks = (m + block->rows - 1) / block->rows;
  const int64_t tasks = batch * row_blocks * ((c->n + block->columns - 1) / block->columns);
  if (tasks < FEW_TASKS) {
    block->columns = PANEL_BYTES / element_bytes;
  }
}

// The store of gemm: (image, pixel, channel), while the result is [image, channel, pixels..].
static genie_status_t define_product_store(genie_lowering_t *lowering, const conv_t *c) {
  const int arg_dims[] = {1, c->spatial, 1};
  genie_lower_space_t space = genie_operand_space(c->spatial + 2, c->result.dims, 3, arg_dims);
  for (int d = 1; d <= c->spatial; ++d) {
    space.dims[d] = c->result.dims[d + 1];
    space.order[d] = d + 1;
  }
  space.dims[c->spatial + 1] = c->result.dims[1];
  space.order[c->spatial + 1] = 1;
  return lowering->target->is_cuda ? genie_operand_define_pair_store(lowering, c->result.dims[1], &space)
                                   : genie_lower_define_store(lowering, "genie_store", &space);
}

// The tiled product of a GPU over `row_blocks` blocks of rows.
static genie_status_t use_gpu_product(genie_lowering_t *lowering, const conv_t *c, MlirAffineExpr row_blocks,
                                      bool is_double) {
  const bool is_narrow = genie_operand_is_narrow_pair(&c->x, &c->weight);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, is_narrow ? "gemm_mma" : "gemm", is_double));
  lowering->threads = is_narrow ? 128 : 256;
  lowering->grid = genie_dim_mul(row_blocks, genie_dim_constant(lowering->context, (c->n + GPU_TILE - 1) / GPU_TILE));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_a_is_vector", genie_operand_has_groups(&c->x, 1)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_vector", genie_operand_has_groups(&c->weight, 1)));
  return genie_lower_define_i64(lowering, "genie_b_is_vector_n", 0);
}

static genie_status_t lower_product(genie_lowering_t *lowering, const conv_t *c, MlirAffineExpr step,
                                    int64_t element_bytes) {
  MlirAffineExpr pixels = genie_dim_product(lowering->context, SPATIAL, c->y_size), images = c->result.dims[0];
  MlirAffineExpr n = genie_dim_constant(lowering->context, c->n),
                 k = genie_dim_constant(lowering->context, c->channels);
  MlirAffineExpr zero = genie_dim_constant(lowering->context, 0);
  const int64_t image_count = genie_lower_maximum(lowering, images), m = genie_lower_maximum(lowering, pixels);
  genie_gemm_block_t block = genie_gemm_block_choose(image_count, m, c->n, c->channels, element_bytes);
  cut_few_tasks(image_count, m, c, element_bytes, &block);
  const int one = 1;
  const genie_lower_space_t batch = genie_operand_space(1, &images, 1, &one);
  if (lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(
        use_gpu_product(lowering, c, genie_dim_mul(images, genie_lower_ceildiv(pixels, GPU_TILE)), element_bytes == 8));
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_n", c->n));
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_k", c->channels));
  } else {
    GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "gemm", element_bytes == 8));
    GENIE_RETURN_IF_ERROR(genie_gemm_block_define(lowering, &block, images, pixels, n, k, element_bytes, 0));
  }
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_m", pixels));
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_a", &c->x, 1, &batch));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_a_dtype", c->x.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_a_m_stride", step));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_a_k_stride", c->x.view.strides[1]));
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_b", &c->weight, 0, &batch));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_dtype", c->weight.dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_width", c->weight.width));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_b_is_direct", 0));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_size(lowering, "genie_b_k_stride", c->weight.width != 0 ? zero : c->weight.view.strides[1]));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_size(lowering, "genie_b_n_stride", c->weight.width != 0 ? zero : c->weight.view.strides[0]));
  GENIE_RETURN_IF_ERROR(genie_operand_define_bias(lowering, c->bias));
  return define_product_store(lowering, c);
}

static genie_status_t define_weight_strides(genie_lowering_t *lowering, const conv_t *c) {
  MlirAffineExpr zero = genie_dim_constant(lowering->context, 0);
  MlirAffineExpr outer = c->weight.width != 0 ? zero : c->weight.view.strides[0];
  MlirAffineExpr inner = c->weight.width != 0 ? zero : c->weight.view.strides[1];
  const int64_t group_rows = c->is_transposed ? c->channels : c->n;
  MlirAffineExpr group = genie_dim_mul(outer, genie_dim_constant(lowering->context, group_rows));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_weight_group_stride", group));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_weight_n_stride", c->is_transposed ? inner : outer));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_size(lowering, "genie_weight_channel_stride", c->is_transposed ? outer : inner));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_weight_width", c->weight.width));
  return define_sizes(lowering, "weight_stride", SPATIAL, c->weight_stride);
}

static genie_status_t lower_gpu(genie_lowering_t *lowering, const conv_t *c, bool is_double) {
  const bool is_narrow = genie_operand_is_narrow_pair(&c->x, &c->weight);
  if (c->weight.width != 0) {
    return genie_lower_unimplemented(lowering, "a weight in panels on a GPU");
  }
  MlirAffineExpr batch = genie_dim_mul(c->result.dims[0], genie_dim_constant(lowering->context, c->groups));
  MlirAffineExpr pixels = genie_dim_product(lowering->context, SPATIAL, c->y_size);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, is_narrow ? "conv_mma" : "conv", is_double));
  lowering->threads = is_narrow ? 128 : 256;
  lowering->grid = genie_dim_mul(genie_dim_mul(batch, genie_lower_ceildiv(pixels, GPU_TILE)),
                                 genie_dim_constant(lowering->context, (c->n + GPU_TILE - 1) / GPU_TILE));
  const int ones[] = {1, 1};
  const genie_lower_space_t planes = genie_operand_space(2, c->x.view.dims, 2, ones);
  const bool is_whole = c->channels % 8 == 0;
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_x", &c->x, 2, &planes));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_x_channel_stride", c->x.view.strides[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_groups", c->groups));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_n", c->n));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_transposed", c->is_transposed));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_x_is_vector", is_whole && genie_operand_has_groups(&c->x, 1)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(
      lowering, "genie_weight_is_vector", is_whole && genie_operand_has_groups(&c->weight, c->is_transposed ? 0 : 1)));
  GENIE_RETURN_IF_ERROR(define_weight_strides(lowering, c));
  return define_hooks(lowering, c, SPATIAL);
}

static genie_status_t lower_blocked(genie_lowering_t *lowering, const conv_t *c, int64_t element_bytes) {
  const int64_t k = c->channels * c->kernel[0] * c->kernel[1] * c->kernel[2];
  MlirAffineExpr batch = genie_dim_mul(c->result.dims[0], genie_dim_constant(lowering->context, c->groups));
  MlirAffineExpr pixels = genie_dim_product(lowering->context, SPATIAL, c->y_size);
  const int64_t m = genie_lower_maximum(lowering, pixels);
  genie_gemm_block_t block = genie_gemm_block_choose(genie_lower_maximum(lowering, batch), m, c->n, k, element_bytes);
  if (c->n * k * element_bytes <= SMALL_WEIGHT_BYTES) {
    const int64_t rows = SMALL_BLOCK_BYTES / element_bytes / k / TILE_ROWS * TILE_ROWS;
    block.rows = rows < TILE_ROWS ? TILE_ROWS : rows < block.rows ? rows : block.rows;
  }
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "conv", element_bytes == 8));
  GENIE_RETURN_IF_ERROR(genie_gemm_block_define(
      lowering, &block, batch, pixels, genie_dim_constant(lowering->context, c->n),
      genie_dim_constant(lowering->context, k), element_bytes, (uint64_t)(c->channels * element_bytes)));
  const int ones[] = {1, 1};
  const genie_lower_space_t planes = genie_operand_space(2, c->x.view.dims, 2, ones);
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_x", &c->x, 2, &planes));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_x_channel_stride", c->x.view.strides[1]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_groups", c->groups));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_transposed", c->is_transposed));
  GENIE_RETURN_IF_ERROR(define_weight_strides(lowering, c));
  return define_hooks(lowering, c, SPATIAL);
}

//===-- Minimal filtering -----------------------------------------------------------------------------------------===//

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// The height of the register tile, at most `most`, that covers `rows` best: few rows too many, and few sums in flight
// are slower.
static int64_t choose_height(int64_t rows, int64_t most) {
  int64_t best = most;
  double least = INFINITY;
  for (int64_t height = most; height >= most / 3; --height) {
    const double cost = (double)(divide_up(rows, height) * height) * (1 + 0.5 / (double)height);
    if (cost < least) {
      least = cost;
      best = height;
    }
  }
  return best;
}

// How conv_winograd cuts its work.
typedef struct filtering {
  int tile, points;       // tile x tile output pixels, computed at so many points
  MlirAffineExpr tiles;   // of all images
  int64_t block, room;    // tiles of a task, and the room for them
  int64_t height;         // of the register tile
  MlirAffineExpr panels;  // of the output channels
} filtering_t;

static filtering_t cut_filtering(genie_lowering_t *lowering, const conv_t *c, int tile) {
  const int points = (tile + 2) * (tile + 2);
  MlirAffineExpr sizes[] = {c->result.dims[0], genie_lower_ceildiv(c->y_size[1], tile),
                            genie_lower_ceildiv(c->y_size[2], tile)};
  filtering_t f = {.tile = tile, .points = points, .tiles = genie_dim_product(lowering->context, 3, sizes)};
  const int64_t tiles = genie_lower_maximum(lowering, f.tiles), panels = divide_up(c->n, c->weight.width);
  const int64_t most = FILTER_BLOCK_BYTES / (points * c->channels * (int64_t)sizeof(float));
  int64_t blocks = divide_up(tiles, most > TILE_ROWS ? most : TILE_ROWS);
  while (blocks * panels < FILTER_LEAST_TASKS && tiles / (blocks + 1) >= FILTER_LEAST_TILES) {
    ++blocks;
  }
  const int64_t rows = divide_up(tiles, blocks), height = choose_height(rows, TILE_ROWS);
  f.panels = genie_dim_constant(lowering->context, panels);
  f.block = divide_up(rows, height) * height;
  f.room = f.block + TILE_ROWS - 1;
  f.height = lowering->target->vector_bytes >= 64 ? height : choose_height(f.block, TILE_ROWS / 2);
  return f;
}

// As conv_winograd.c lays it out, for the widest target.
static uint64_t filtering_scratch_bytes(const conv_t *c, const filtering_t *f) {
  enum { LINE = 16 };
  const int64_t channels = divide_up(c->channels, LINE) * LINE;
  const int64_t planes =
      (divide_up(f->room * (channels + LINE), LINE) | 1) + (divide_up(f->room * c->weight.width, LINE) | 1);
  return (uint64_t)(f->points * planes * LINE + channels) * sizeof(float);
}

static genie_status_t lower_filtering(genie_lowering_t *lowering, const conv_t *c, int tile) {
  if (!is_number(c->x.view.strides[1], 1) || c->groups != 1 || c->x.dtype == GENIE_DTYPE_F64 ||
      c->weight.dtype != GENIE_DTYPE_F32 || lowering->target->is_cuda) {
    return genie_lower_unimplemented(lowering, "minimal filtering of this convolution");
  }
  const filtering_t f = cut_filtering(lowering, c, tile);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, tile == 2 ? "conv_winograd_2" : "conv_winograd_4", false));
  lowering->grid = genie_dim_mul(genie_lower_ceildiv(f.tiles, f.block), f.panels);
  lowering->grain = genie_lower_grain((double)(f.block * f.points * c->channels * c->weight.width) / 32);
  lowering->scratch_bytes = filtering_scratch_bytes(c, &f);
  const int ones[] = {1, 1};
  const genie_lower_space_t planes = genie_operand_space(2, c->x.view.dims, 2, ones);
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, "genie_x", &c->x, 2, &planes));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_images", c->result.dims[0]));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_n", c->n));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_tiles", f.block));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_room", f.room));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_columns", c->weight.width));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_depth", FILTER_DEPTH));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_tile_height", f.height));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_weight_width", c->weight.width));
  return define_hooks(lowering, c, SPATIAL);
}

//===-- Library calls ---------------------------------------------------------------------------------------------===//

// Whether the view is dense in the order (0, 2, 3, 1): images, or a weight, whose channels are innermost.
static bool is_channels_last(const genie_strided_view_t *view) {
  static const int order[] = {1, 3, 2, 0};
  MlirContext context = mlirAffineExprGetContext(view->offset);
  MlirAffineExpr stride = genie_dim_constant(context, 1);
  if (view->rank != 4 || !is_number(view->offset, 0)) {
    return false;
  }
  for (int i = 0; i < 4; ++i) {
    const int d = order[i];
    if (!is_number(view->dims[d], 1) && !mlirAffineExprEqual(view->strides[d], stride)) {
      return false;
    }
    stride = genie_dim_mul(view->dims[d], stride);
  }
  return true;
}

static bool is_library_conv(const genie_lowering_t *lowering, const conv_t *c) {
  return !c->is_transposed && c->spatial == 2 && c->groups == 1 && c->weight.width == 0 &&
         c->x.dtype == c->weight.dtype && c->x.dtype != GENIE_DTYPE_F64 && c->channels % 8 == 0 && c->n % 8 == 0 &&
         is_channels_last(&c->x.view) && is_channels_last(&c->weight.view) &&
         genie_region_argument(lowering, c->x.view.root) >= 0 &&
         genie_region_argument(lowering, c->weight.view.root) >= 0;
}

static void fill_conv(const genie_lowering_t *lowering, const conv_t *c, const genie_library_epilogue_t *epilogue,
                      genie_library_call_t *call) {
  MlirContext context = lowering->context;
  call->function = "cudnn.conv";
  call->argument_count = 3;
  call->arguments[0] = genie_region_argument(lowering, c->x.view.root);
  call->arguments[1] = genie_region_argument(lowering, c->weight.view.root);
  call->arguments[2] = lowering->state->input_count;
  int64_t high[SPATIAL];
  read_numbers(lowering->anchor, "padding_high", c->spatial, 0, high);
  const int64_t numbers[] = {
      [GENIE_LIBRARY_CONV_C] = c->channels,
      [GENIE_LIBRARY_CONV_K] = c->n,
      [GENIE_LIBRARY_CONV_R] = c->kernel[1],
      [GENIE_LIBRARY_CONV_S] = c->kernel[2],
      [GENIE_LIBRARY_CONV_STRIDE_H] = c->stride[1],
      [GENIE_LIBRARY_CONV_STRIDE_W] = c->stride[2],
      [GENIE_LIBRARY_CONV_PAD_TOP] = c->padding[1],
      [GENIE_LIBRARY_CONV_PAD_LEFT] = c->padding[2],
      [GENIE_LIBRARY_CONV_PAD_BOTTOM] = high[1],
      [GENIE_LIBRARY_CONV_PAD_RIGHT] = high[2],
      [GENIE_LIBRARY_CONV_DILATION_H] = c->dilation[1],
      [GENIE_LIBRARY_CONV_DILATION_W] = c->dilation[2],
      [GENIE_LIBRARY_CONV_GROUPS] = c->groups,
      [GENIE_LIBRARY_CONV_TYPE] = c->x.dtype,
      [GENIE_LIBRARY_CONV_FLAGS] = genie_library_append_epilogue(lowering, epilogue, call),
      [GENIE_LIBRARY_CONV_ACTIVATION] = epilogue->activation,
      [GENIE_LIBRARY_CONV_MATH] =
          genie_op_allows_tf32(lowering->op) ? GENIE_LIBRARY_MATH_TF32 : GENIE_LIBRARY_MATH_EXACT,
  };
  for (int i = 0; i < GENIE_LIBRARY_CONV_DIM_COUNT; ++i) {
    call->dims[i] = genie_dim_constant(context, numbers[i]);
  }
  call->dims[GENIE_LIBRARY_CONV_N] = c->result.dims[0];
  call->dims[GENIE_LIBRARY_CONV_H] = c->x_size[1];
  call->dims[GENIE_LIBRARY_CONV_W] = c->x_size[2];
  call->dim_count = GENIE_LIBRARY_CONV_DIM_COUNT;
}

bool genie_conv_library_call(genie_lowering_t *lowering, genie_library_call_t *out_call) {
  conv_t c = {0};
  genie_library_epilogue_t epilogue;
  const genie_status_t status = read_conv(lowering, &c);
  const bool is_readable = status == GENIE_OK;
  genie_status_free(status);
  if (!is_readable || !is_library_conv(lowering, &c) || !genie_library_read_epilogue(lowering, c.bias, 1, &epilogue) ||
      !is_channels_last(&epilogue.result) || epilogue.activation > GENIE_LIBRARY_ACTIVATION_RELU) {
    return false;
  }
  fill_conv(lowering, &c, &epilogue, out_call);
  return true;
}

genie_status_t genie_lower_conv(genie_lowering_t *lowering) {
  conv_t c = {0};
  GENIE_RETURN_IF_ERROR(read_conv(lowering, &c));
  const int64_t element_bytes = c.x.dtype == GENIE_DTYPE_F64 ? 8 : 4;
  const bool is_packed_depthwise = strcmp(c.weight.format, "depthwise") == 0;
  if (is_depthwise(lowering, &c) && (is_packed_depthwise || has_dense_taps(&c))) {
    return lower_depthwise(lowering, &c, element_bytes);
  }
  if (strncmp(c.weight.format, "winograd_", 9) == 0) {
    return lower_filtering(lowering, &c, c.weight.format[9] - '0');
  }
  const char *format = c.is_transposed ? "transposed_n" : "conv_n";
  if (c.weight.width != 0 && (strcmp(c.weight.format, format) != 0 || c.weight.groups != c.groups)) {
    return genie_lower_unimplemented(lowering, "the weight is not packed for this convolution");
  }
  MlirAffineExpr step;
  if (is_plain_product(lowering, &c, &step)) {
    return lower_product(lowering, &c, step, element_bytes);
  }
  return lowering->target->is_cuda ? lower_gpu(lowering, &c, element_bytes == 8)
                                   : lower_blocked(lowering, &c, element_bytes);
}
