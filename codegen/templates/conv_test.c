#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#ifdef TEST_DEPTHWISE
#include "codegen/templates/conv_depthwise.c"
#else
#include "codegen/templates/conv.c"
#endif

typedef struct shape {
  i64 images, groups, channels, n;  // channels and n of a group
  i64 x[3], kernel[3], stride[3], padding[3], dilation[3];
  bool is_transposed, is_channels_last, is_packed, has_bias;
  int dtype;
} shape_t;

enum { WIDTH = 128 / REAL_BYTES };

static shape_t shape;
static i64 y_size[3];
static buffer_t x, weight, bias, y;

static i64 x_stride(int d) {
  i64 stride = shape.is_channels_last ? shape.groups * shape.channels : 1;
  for (int i = 2; i > d; --i) stride *= shape.x[i];
  return stride;
}
static i64 taps(void) {
  return shape.kernel[0] * shape.kernel[1] * shape.kernel[2];
}
static i64 x_channel_stride(void) {
  return shape.is_channels_last ? 1 : shape.x[0] * shape.x[1] * shape.x[2];
}
static i64 x_index(i64 image, i64 channel, i64 a, i64 b, i64 c) {
  return image * shape.groups * shape.channels * shape.x[0] * shape.x[1] * shape.x[2] + channel * x_channel_stride() +
         a * x_stride(0) + b * x_stride(1) + c * x_stride(2);
}
// [group * n][channel][tap], or transposed [group * channel][n][tap].
static i64 weight_index(i64 group, i64 n, i64 channel, i64 tap) {
#ifdef TEST_DEPTHWISE
  if (shape.is_packed) {
    return tap * round_up(shape.groups, WIDTH) + group;
  }
#endif
  if (shape.is_packed) {
    const i64 panel = group * ceil_div(shape.n, WIDTH) + n / WIDTH;
    return ((panel * taps() + tap) * shape.channels + channel) * WIDTH + n % WIDTH;
  }
  return shape.is_transposed ? ((group * shape.channels + channel) * shape.n + n) * taps() + tap
                             : ((group * shape.n + n) * shape.channels + channel) * taps() + tap;
}
static i64 y_index(i64 image, i64 channel, i64 pixel) {
  return (image * shape.groups * shape.n + channel) * y_size[0] * y_size[1] * y_size[2] + pixel;
}

#define SPATIAL_HOOKS(d, from)                  \
  SIZE_HOOK(x_size##d, shape.x[from])           \
  SIZE_HOOK(y_size##d, y_size[from])            \
  SIZE_HOOK(kernel_size##d, shape.kernel[from]) \
  SIZE_HOOK(stride##d, shape.stride[from])      \
  SIZE_HOOK(padding##d, shape.padding[from])    \
  SIZE_HOOK(dilation##d, shape.dilation[from])  \
  SIZE_HOOK(x_stride##d, x_stride(from))
SIZE_HOOK(x_dtype, shape.dtype)
SIZE_HOOK(weight_dtype, shape.dtype)
SIZE_HOOK(has_bias, shape.has_bias)
const void *genie_weight(const frame_t *frame) {
  (void)frame;
  return weight.bytes;
}
real_t genie_bias(const frame_t *frame, i64 channel) {
  (void)frame;
  return (real_t)buffer_get(&bias, channel);
}
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum) {
  (void)frame;
  buffer_store_once(&y, y_index(image, channel, pixel), (double)sum);
}
#ifdef TEST_DEPTHWISE
SPATIAL_HOOKS(0, 1)
SPATIAL_HOOKS(1, 2)
SIZE_HOOK(channels, shape.groups)
SIZE_HOOK(x_channel_stride, x_channel_stride())
SIZE_HOOK(weight_tap_stride, shape.is_packed ? round_up(shape.groups, WIDTH) : 1)
SIZE_HOOK(weight_channel_stride, shape.is_packed ? 1 : taps())
const void *genie_x(const frame_t *frame, i64 image) {
  (void)frame;
  return (char *)x.bytes + x_index(image, 0, 0, 0, 0) * storage_bytes(shape.dtype);
}
static i64 weight_count(void) {
  return taps() * round_up(shape.groups, WIDTH);
}
static i64 scratch_count(void) {
  return y_size[2];
}
static i64 grid(void) {
  return shape.images * y_size[1];
}
#else
enum { BLOCK_ROWS = 24, BLOCK_COLUMNS = 2 * WIDTH, BLOCK_DEPTH = 24 };
SPATIAL_HOOKS(0, 0)
SPATIAL_HOOKS(1, 1)
SPATIAL_HOOKS(2, 2)
SIZE_HOOK(n, shape.n)
SIZE_HOOK(k, shape.channels *taps())
SIZE_HOOK(groups, shape.groups)
SIZE_HOOK(channels, shape.channels)
SIZE_HOOK(block_rows, BLOCK_ROWS)
SIZE_HOOK(block_columns, BLOCK_COLUMNS)
SIZE_HOOK(block_depth, BLOCK_DEPTH)
SIZE_HOOK(tail_rows, y_size[0] * y_size[1] * y_size[2] % TILE_ROWS)
SIZE_HOOK(is_transposed, shape.is_transposed)
SIZE_HOOK(x_channel_stride, x_channel_stride())
SIZE_HOOK(weight_width, shape.is_packed ? WIDTH : 0)
SIZE_HOOK(weight_group_stride, weight_index(1, 0, 0, 0))
SIZE_HOOK(weight_n_stride, weight_index(0, 1, 0, 0))
SIZE_HOOK(weight_channel_stride, weight_index(0, 0, 1, 0))
SIZE_HOOK(weight_stride0, shape.kernel[1] * shape.kernel[2])
SIZE_HOOK(weight_stride1, shape.kernel[2])
SIZE_HOOK(weight_stride2, 1)
const void *genie_x(const frame_t *frame, i64 image, i64 channel) {
  (void)frame;
  return (char *)x.bytes + x_index(image, channel, 0, 0, 0) * storage_bytes(shape.dtype);
}
static i64 weight_count(void) {
  return shape.groups * shape.channels * taps() * (shape.is_packed ? round_up(shape.n, WIDTH) : shape.n);
}
static i64 scratch_count(void) {
  return BLOCK_ROWS * (shape.channels * taps() + BLOCK_COLUMNS) + BLOCK_DEPTH * WIDTH + shape.channels +
         64 / REAL_BYTES;
}
static i64 grid(void) {
  return shape.images * shape.groups * ceil_div(y_size[0] * y_size[1] * y_size[2], BLOCK_ROWS) *
         ceil_div(shape.n, BLOCK_COLUMNS);
}
#endif

// The input coordinate of an output and tap, or -1: the definition, apart from the template's.
static i64 source(int d, i64 out, i64 tap) {
  i64 in = out * shape.stride[d] - shape.padding[d] + tap * shape.dilation[d];
  if (shape.is_transposed) {
    in = out + shape.padding[d] - tap * shape.dilation[d];
    if (in % shape.stride[d] != 0) return -1;
    in /= shape.stride[d];
  }
  return in >= 0 && in < shape.x[d] ? in : -1;
}

static double expected(i64 image, i64 channel, i64 pixel) {
  double want = shape.has_bias ? buffer_get(&bias, channel) : 0;
  const i64 group = channel / shape.n;
  for (i64 tap = 0; tap < taps(); ++tap) {
    const i64 a = source(0, pixel / (y_size[1] * y_size[2]), tap / (shape.kernel[1] * shape.kernel[2]));
    const i64 b = source(1, pixel / y_size[2] % y_size[1], tap / shape.kernel[2] % shape.kernel[1]);
    const i64 c = source(2, pixel % y_size[2], tap % shape.kernel[2]);
    for (i64 i = 0; i < shape.channels && a >= 0 && b >= 0 && c >= 0; ++i) {
      want += buffer_get(&x, x_index(image, group * shape.channels + i, a, b, c)) *
              buffer_get(&weight, weight_index(group, channel % shape.n, i, tap));
    }
  }
  return want;
}

static void check(shape_t given) {
  shape = given;
  for (int d = 0; d < 3; ++d) {
    const i64 reach = shape.dilation[d] * (shape.kernel[d] - 1);
    y_size[d] = shape.is_transposed ? (shape.x[d] - 1) * shape.stride[d] - 2 * shape.padding[d] + reach + 1
                                    : (shape.x[d] + 2 * shape.padding[d] - reach - 1) / shape.stride[d] + 1;
  }
  const i64 pixels = y_size[0] * y_size[1] * y_size[2];
  x = buffer_random(shape.dtype, shape.images * shape.groups * shape.channels * shape.x[0] * shape.x[1] * shape.x[2]);
  weight = buffer_random(shape.dtype, weight_count());
  bias = buffer_random(REAL_DTYPE, shape.groups * shape.n);
  y = buffer_make(REAL_DTYPE, shape.images * shape.groups * shape.n * pixels);
  scratch_t scratch = scratch_make(scratch_count());
  const frame_t frame = {NULL, NULL, scratch.bytes};
  run_grid(&frame, grid());
  for (i64 i = 0; i < shape.images; ++i) {
    for (i64 channel = 0; channel < shape.groups * shape.n; ++channel) {
      for (i64 pixel = 0; pixel < pixels; ++pixel) {
        assert_near(expected(i, channel, pixel), buffer_get(&y, y_index(i, channel, pixel)), 1);
      }
    }
  }
  scratch_check(&scratch);
  buffer_free(&x);
  buffer_free(&weight);
  buffer_free(&bias);
  buffer_free(&y);
}

#define FLAT(k, s, p, d) .kernel = {1, k, k}, .stride = {1, s, s}, .padding = {0, p, p}, .dilation = {1, d, d}

#ifdef TEST_DEPTHWISE
static void images_of_either_order_with_edges(void **state) {
  (void)state;
  for (int form = 0; form < 3; ++form) {
    const bool last = form == 0, packed = form != 2;
    for (i64 channels = 3; channels < 60; channels += 14) {
      check((shape_t){2,
                      channels,
                      1,
                      1,
                      {1, 9, 21},
                      FLAT(3, 1, 1, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE});
      check((shape_t){1,
                      channels,
                      1,
                      1,
                      {1, 8, 33},
                      FLAT(3, 2, 1, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE,
                      .has_bias = true});
      check((shape_t){1,
                      channels,
                      1,
                      1,
                      {1, 7, 7},
                      FLAT(5, 1, 2, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE,
                      .has_bias = true});
      check((shape_t){1,
                      channels,
                      1,
                      1,
                      {1, 17, 20},
                      FLAT(3, 1, 2, 2),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = GENIE_DTYPE_BF16});
      check((shape_t){1,
                      channels,
                      1,
                      1,
                      {1, 2, 2},
                      FLAT(7, 1, 3, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE});
    }
  }
}
#else
static void images_of_either_order(void **state) {
  (void)state;
  for (int last = 0; last < 2; ++last) {
    for (int packed = 0; packed < 2; ++packed) {
      check((shape_t){2,
                      1,
                      5,
                      35,
                      {1, 9, 11},
                      FLAT(3, 1, 1, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE,
                      .has_bias = true});
      check((shape_t){1,
                      1,
                      3,
                      18,
                      {1, 15, 15},
                      FLAT(7, 2, 3, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE});
      check((shape_t){1,
                      1,
                      21,
                      9,
                      {1, 6, 7},
                      FLAT(1, 1, 0, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE});
      check((shape_t){1,
                      1,
                      8,
                      40,
                      {1, 9, 9},
                      FLAT(1, 2, 0, 1),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = GENIE_DTYPE_BF16});
      check((shape_t){1,
                      1,
                      4,
                      5,
                      {1, 11, 12},
                      FLAT(3, 1, 2, 2),
                      .is_channels_last = last,
                      .is_packed = packed,
                      .dtype = REAL_DTYPE});
    }
  }
}

// Whole tiles of neighbours in one row, at steps of one, two and three elements.
static void rows_that_hold_whole_tiles(void **state) {
  (void)state;
  for (i64 stride = 1; stride <= 3; ++stride) {
    for (int dtype = 0; dtype < 2; ++dtype) {
      check((shape_t){1,
                      1,
                      3,
                      18,
                      {1, 5, 40 * stride + 2},
                      FLAT(3, stride, stride % 2, 1),
                      .is_packed = true,
                      .dtype = dtype == 0 ? REAL_DTYPE : GENIE_DTYPE_BF16});
    }
  }
}

static void groups_take_their_own_channels(void **state) {
  (void)state;
  for (int form = 0; form < 4; ++form) {
    const bool last = form % 2, packed = form / 2;
    check((shape_t){2,
                    3,
                    4,
                    5,
                    {1, 6, 6},
                    FLAT(3, 1, 1, 1),
                    .is_channels_last = last,
                    .is_packed = packed,
                    .dtype = REAL_DTYPE,
                    .has_bias = true});
    check((shape_t){
        1, 7, 1, 1, {1, 6, 6}, FLAT(3, 2, 1, 1), .is_channels_last = last, .is_packed = packed, .dtype = REAL_DTYPE});
  }
}

static void one_and_three_dimensions(void **state) {
  (void)state;
  check((shape_t){1,
                  1,
                  4,
                  6,
                  {1, 1, 40},
                  .kernel = {1, 1, 5},
                  .stride = {1, 1, 2},
                  .padding = {0, 0, 2},
                  .dilation = {1, 1, 1},
                  .dtype = REAL_DTYPE});
  check((shape_t){1,
                  1,
                  3,
                  4,
                  {5, 6, 7},
                  .kernel = {3, 2, 3},
                  .stride = {1, 2, 1},
                  .padding = {1, 0, 1},
                  .dilation = {1, 1, 1},
                  .dtype = REAL_DTYPE});
}

static void transposed(void **state) {
  (void)state;
  for (int form = 0; form < 4; ++form) {
    const bool last = form % 2, packed = form / 2;
    check((shape_t){2,
                    1,
                    5,
                    7,
                    {1, 6, 5},
                    FLAT(3, 2, 1, 1),
                    .is_transposed = true,
                    .is_channels_last = last,
                    .is_packed = packed,
                    .dtype = REAL_DTYPE,
                    .has_bias = true});
    check((shape_t){1,
                    2,
                    3,
                    4,
                    {1, 5, 5},
                    FLAT(4, 2, 1, 1),
                    .is_transposed = true,
                    .is_channels_last = last,
                    .is_packed = packed,
                    .dtype = REAL_DTYPE});
    check((shape_t){1,
                    1,
                    2,
                    3,
                    {1, 5, 5},
                    FLAT(3, 1, 0, 2),
                    .is_transposed = true,
                    .is_channels_last = last,
                    .is_packed = packed,
                    .dtype = REAL_DTYPE});
  }
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
#ifdef TEST_DEPTHWISE
      cmocka_unit_test(images_of_either_order_with_edges),
#else
      cmocka_unit_test(images_of_either_order),
      cmocka_unit_test(rows_that_hold_whole_tiles),
      cmocka_unit_test(groups_take_their_own_channels),
      cmocka_unit_test(one_and_three_dimensions),
      cmocka_unit_test(transposed),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
