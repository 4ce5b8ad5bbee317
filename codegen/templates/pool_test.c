#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#ifdef TEST_UPSAMPLE
#include "codegen/templates/upsample.c"
enum { POOL_MAX = 0, POOL_MEAN = 1, POOL_ADAPTIVE = 2 };
#else
#include "codegen/templates/pool.c"
#endif

typedef struct shape {
  int kind;
  i64 images, channels;
  i64 x[3], y[3], kernel[3], stride[3], padding[3], dilation[3];
  bool is_channels_last, includes_padding, is_linear, aligns_corners;
  int dtype;
} shape_t;

static shape_t shape;
static buffer_t x, y;

static i64 x_stride(int d) {
  i64 stride = shape.is_channels_last ? shape.channels : 1;
  for (int i = 2; i > d; --i) stride *= shape.x[i];
  return stride;
}
static i64 x_channel_stride(void) {
  return shape.is_channels_last ? 1 : shape.x[0] * shape.x[1] * shape.x[2];
}
static i64 x_index(i64 image, i64 channel, i64 a, i64 b, i64 c) {
  return image * shape.channels * shape.x[0] * shape.x[1] * shape.x[2] + channel * x_channel_stride() +
         a * x_stride(0) + b * x_stride(1) + c * x_stride(2);
}
static i64 pixels(void) {
  return shape.y[0] * shape.y[1] * shape.y[2];
}

#define SPATIAL_HOOKS(d)                     \
  SIZE_HOOK(x_size##d, shape.x[d])           \
  SIZE_HOOK(y_size##d, shape.y[d])           \
  SIZE_HOOK(kernel_size##d, shape.kernel[d]) \
  SIZE_HOOK(stride##d, shape.stride[d])      \
  SIZE_HOOK(padding##d, shape.padding[d])    \
  SIZE_HOOK(dilation##d, shape.dilation[d])  \
  SIZE_HOOK(x_stride##d, x_stride(d))
SPATIAL_HOOKS(0)
SPATIAL_HOOKS(1)
SPATIAL_HOOKS(2)
SIZE_HOOK(kind, shape.kind)
SIZE_HOOK(includes_padding, shape.includes_padding)
SIZE_HOOK(is_linear, shape.is_linear)
SIZE_HOOK(is_centered, 0)
SIZE_HOOK(aligns_corners, shape.aligns_corners)
SIZE_HOOK(channels, shape.channels)
SIZE_HOOK(block_channels, 32)
SIZE_HOOK(x_dtype, shape.dtype)
SIZE_HOOK(x_channel_stride, x_channel_stride())
const void *genie_x(const frame_t *frame, i64 image, i64 channel) {
  (void)frame;
  return (char *)x.bytes + x_index(image, channel, 0, 0, 0) * storage_bytes(shape.dtype);
}
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t value) {
  (void)frame;
  buffer_store_once(&y, (image * shape.channels + channel) * pixels() + pixel, (double)value);
}

#ifdef TEST_UPSAMPLE
// Position of an output coordinate in the input.
static double position_of(int d, i64 i) {
  const double ratio = (double)shape.x[d] / (double)shape.y[d];
  if (!shape.is_linear) return floor((double)i * ratio);
  if (shape.aligns_corners) return shape.y[d] > 1 ? (double)i * (double)(shape.x[d] - 1) / (double)(shape.y[d] - 1) : 0;
  return fmax(((double)i + 0.5) * ratio - 0.5, 0);
}
static double expected(i64 image, i64 channel, const i64 at[3]) {
  double want = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    i64 source[3];
    for (int d = 0; d < 3; ++d) {
      const double position = position_of(d, at[d]), low = floor(position);
      weight *= corner >> d & 1 ? position - low : 1 - (position - low);
      source[d] = genie_min_i64((i64)low + (corner >> d & 1), shape.x[d] - 1);
    }
    want += weight == 0 ? 0 : weight * buffer_get(&x, x_index(image, channel, source[0], source[1], source[2]));
  }
  return want;
}
#else
static double expected(i64 image, i64 channel, const i64 at[3]) {
  double largest = -INFINITY, sum = 0, count = 0, padded = 1;
  i64 first[3], end[3];
  for (int d = 0; d < 3; ++d) {
    first[d] = at[d] * shape.stride[d] - shape.padding[d];
    end[d] = first[d] + (shape.kernel[d] - 1) * shape.dilation[d] + 1;
    padded *= (double)(genie_min_i64(end[d], shape.x[d] + shape.padding[d]) - first[d]);
    if (shape.kind == POOL_ADAPTIVE) {
      first[d] = at[d] * shape.x[d] / shape.y[d];
      end[d] = ((at[d] + 1) * shape.x[d] + shape.y[d] - 1) / shape.y[d];
    }
  }
  for (i64 a = first[0]; a < end[0]; a += shape.dilation[0]) {
    for (i64 b = first[1]; b < end[1]; b += shape.dilation[1]) {
      for (i64 c = first[2]; c < end[2]; c += shape.dilation[2]) {
        if (a < 0 || b < 0 || c < 0 || a >= shape.x[0] || b >= shape.x[1] || c >= shape.x[2]) continue;
        const double v = buffer_get(&x, x_index(image, channel, a, b, c));
        largest = fmax(largest, v);
        sum += v;
        ++count;
      }
    }
  }
  return shape.kind == POOL_MAX ? largest : sum / (shape.kind == POOL_MEAN && shape.includes_padding ? padded : count);
}
#endif

static void check(shape_t given) {
  shape = given;
  x = buffer_random(shape.dtype, shape.images * shape.channels * shape.x[0] * shape.x[1] * shape.x[2]);
  y = buffer_make(REAL_DTYPE, shape.images * shape.channels * pixels());
  const frame_t frame = {NULL, NULL, NULL};
  run_grid(&frame, shape.images * shape.y[0] * shape.y[1] * ceil_div(shape.channels, 32));
  for (i64 i = 0; i < shape.images * shape.channels; ++i) {
    for (i64 pixel = 0; pixel < pixels(); ++pixel) {
      const i64 at[3] = {pixel / (shape.y[1] * shape.y[2]), pixel / shape.y[2] % shape.y[1], pixel % shape.y[2]};
      assert_near(expected(i / shape.channels, i % shape.channels, at), buffer_get(&y, i * pixels() + pixel), 1);
    }
  }
  buffer_free(&x);
  buffer_free(&y);
}

#define FLAT(k, s, p, d) .kernel = {1, k, k}, .stride = {1, s, s}, .padding = {0, p, p}, .dilation = {1, d, d}

#ifdef TEST_UPSAMPLE
static void nearest_and_linear(void **state) {
  (void)state;
  for (int variant = 0; variant < 8; ++variant) {
    const bool last = variant & 1, linear = variant & 2, corners = variant & 4;
    check((shape_t){.images = 2,
                    .channels = 37,
                    .x = {1, 5, 6},
                    .y = {1, 10, 15},
                    FLAT(1, 1, 0, 1),
                    .is_channels_last = last,
                    .is_linear = linear,
                    .aligns_corners = corners,
                    .dtype = REAL_DTYPE});
    check((shape_t){.images = 1,
                    .channels = 5,
                    .x = {1, 9, 8},
                    .y = {1, 4, 3},
                    FLAT(1, 1, 0, 1),
                    .is_channels_last = last,
                    .is_linear = linear,
                    .aligns_corners = corners,
                    .dtype = REAL_DTYPE});
    check((shape_t){.images = 1,
                    .channels = 5,
                    .x = {3, 4, 3},
                    .y = {6, 5, 7},
                    FLAT(1, 1, 0, 1),
                    .is_channels_last = last,
                    .is_linear = linear,
                    .aligns_corners = corners,
                    .dtype = REAL_DTYPE});
  }
}
#else
static void windows_of_either_order(void **state) {
  (void)state;
  for (int last = 0; last < 2; ++last) {
    for (int kind = POOL_MAX; kind <= POOL_MEAN; ++kind) {
      check((shape_t){
          kind, 2, 45, {1, 9, 11}, {1, 5, 6}, FLAT(3, 2, 1, 1), .is_channels_last = last, .dtype = REAL_DTYPE});
      check((shape_t){kind,
                      1,
                      5,
                      {1, 10, 10},
                      {1, 5, 5},
                      FLAT(3, 2, 1, 1),
                      .is_channels_last = last,
                      .includes_padding = true,
                      .dtype = GENIE_DTYPE_BF16});
      check((shape_t){kind,
                      1,
                      3,
                      {4, 6, 6},
                      {2, 3, 3},
                      .kernel = {2, 2, 2},
                      .stride = {2, 2, 2},
                      .dilation = {1, 1, 1},
                      .is_channels_last = last,
                      .dtype = REAL_DTYPE});
    }
    check((shape_t){
        POOL_MAX, 1, 6, {1, 12, 12}, {1, 10, 10}, FLAT(3, 1, 1, 2), .is_channels_last = last, .dtype = REAL_DTYPE});
  }
}

static void a_last_window_may_hang_over(void **state) {
  (void)state;
  for (int pad = 0; pad < 2; ++pad) {
    check((shape_t){
        POOL_MEAN, 1, 4, {1, 6, 6}, {1, 4, 4}, FLAT(3, 2, 1, 1), .includes_padding = pad, .dtype = REAL_DTYPE});
  }
}

static void adaptive(void **state) {
  (void)state;
  for (int last = 0; last < 2; ++last) {
    check((shape_t){
        POOL_ADAPTIVE, 2, 70, {1, 7, 7}, {1, 1, 1}, FLAT(1, 1, 0, 1), .is_channels_last = last, .dtype = REAL_DTYPE});
    check((shape_t){
        POOL_ADAPTIVE, 1, 5, {1, 11, 7}, {1, 4, 3}, FLAT(1, 1, 0, 1), .is_channels_last = last, .dtype = REAL_DTYPE});
  }
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
#ifdef TEST_UPSAMPLE
      cmocka_unit_test(nearest_and_linear),
#else
      cmocka_unit_test(windows_of_either_order),
      cmocka_unit_test(a_last_window_may_hang_over),
      cmocka_unit_test(adaptive),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
