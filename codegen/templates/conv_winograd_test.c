#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#include "codegen/templates/conv_winograd.c"

typedef struct shape {
  i64 images, channels, n;
  i64 x[2], padding[2], padding_high[2];
  i64 block_tiles, height, depth;
  bool has_bias;
} shape_t;

enum { WIDTH = 128 / REAL_BYTES };

static shape_t shape;
static i64 y_size[2];
static buffer_t x, weight, bias, y;
static double *filters;  // [n][channel][tap]

static i64 x_index(i64 image, i64 channel, i64 row, i64 column) {
  return ((image * shape.x[0] + row) * shape.x[1] + column) * shape.channels + channel;
}
static i64 y_index(i64 image, i64 channel, i64 pixel) {
  return (image * shape.n + channel) * y_size[0] * y_size[1] + pixel;
}

SIZE_HOOK(images, shape.images)
SIZE_HOOK(channels, shape.channels)
SIZE_HOOK(n, shape.n)
SIZE_HOOK(block_tiles, shape.block_tiles)
SIZE_HOOK(block_room, shape.block_tiles + TILE_ROWS - 1)
SIZE_HOOK(block_columns, WIDTH)
SIZE_HOOK(block_depth, shape.depth)
SIZE_HOOK(tile_height, genie_min_i64(shape.height, TILE_ROWS))
SIZE_HOOK(x_size1, shape.x[0])
SIZE_HOOK(x_size2, shape.x[1])
SIZE_HOOK(y_size1, y_size[0])
SIZE_HOOK(y_size2, y_size[1])
SIZE_HOOK(padding1, shape.padding[0])
SIZE_HOOK(padding2, shape.padding[1])
SIZE_HOOK(x_stride1, shape.x[1] * shape.channels)
SIZE_HOOK(x_stride2, shape.channels)
SIZE_HOOK(x_dtype, REAL_DTYPE)
SIZE_HOOK(weight_width, WIDTH)
SIZE_HOOK(has_bias, shape.has_bias)
const void *genie_x(const frame_t *frame, i64 image, i64 channel) {
  (void)frame;
  return (char *)x.bytes + x_index(image, channel, 0, 0) * REAL_BYTES;
}
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

// The powers of the template's points over the products of their distances, apart from ir/winograd.c: in the test's
// precision, so that f64 shows whether the transforms fit each other.
static double evaluation(i64 point, i64 tap) {
#if WINOGRAD_TILE == 2
  const double points[] = {0, 1, -1};
#else
  const double points[] = {0, sqrt(0.5), -sqrt(0.5), sqrt(2), -sqrt(2)};
#endif
  enum { FINITE = sizeof(points) / sizeof(points[0]) };
  if (point == FINITE) return tap == 2;
  double value = pow(points[point], (double)tap);
  for (int i = 0; i < FINITE; ++i) {
    if (i != point) value /= points[point] - points[i];
  }
#if WINOGRAD_TILE == 2
  return point == 0 ? -value : value;
#else
  return value;
#endif
}

static void make_weight(void) {
  const i64 panels = ceil_div(shape.n, WIDTH);
  weight = buffer_make(REAL_DTYPE, panels * POINTS * shape.channels * WIDTH);
  filters = malloc(sizeof(double) * (size_t)(shape.n * shape.channels * 9));
  for (i64 i = 0; i < shape.n * shape.channels * 9; ++i) filters[i] = draw();
  for (i64 i = 0; i < weight.count; ++i) {
    const i64 o = i / (POINTS * shape.channels * WIDTH) * WIDTH + i % WIDTH, c = i / WIDTH % shape.channels;
    const i64 point = i / (shape.channels * WIDTH) % POINTS;
    double sum = 0;
    for (i64 tap = 0; tap < 9 && o < shape.n; ++tap) {
      sum += evaluation(point / INPUT, tap / 3) * evaluation(point % INPUT, tap % 3) *
             filters[(o * shape.channels + c) * 9 + tap];
    }
    buffer_set(&weight, i, sum);
  }
}

static double expected(i64 image, i64 channel, i64 pixel) {
  double want = shape.has_bias ? buffer_get(&bias, channel) : 0;
  for (i64 tap = 0; tap < 9; ++tap) {
    const i64 row = pixel / y_size[1] - shape.padding[0] + tap / 3,
              column = pixel % y_size[1] - shape.padding[1] + tap % 3;
    if (row < 0 || row >= shape.x[0] || column < 0 || column >= shape.x[1]) continue;
    for (i64 c = 0; c < shape.channels; ++c) {
      want += buffer_get(&x, x_index(image, c, row, column)) * filters[(channel * shape.channels + c) * 9 + tap];
    }
  }
  return want;
}

static void check(shape_t given) {
  shape = given;
  for (int d = 0; d < 2; ++d) y_size[d] = shape.x[d] + shape.padding[d] + shape.padding_high[d] - 2;
  const i64 pixels = y_size[0] * y_size[1];
  x = buffer_random(REAL_DTYPE, shape.images * shape.channels * shape.x[0] * shape.x[1]);
  make_weight();
  bias = buffer_random(REAL_DTYPE, shape.n);
  y = buffer_make(REAL_DTYPE, shape.images * shape.n * pixels);
  scratch_t scratch = scratch_make(POINTS * (v_plane(NULL) + m_plane(NULL)) + scratch_part(shape.channels));
  const frame_t frame = {NULL, NULL, scratch.bytes};
  run_grid(&frame, ceil_div(shape.images * tile_count(NULL), shape.block_tiles) * ceil_div(shape.n, WIDTH));
  for (i64 i = 0; i < shape.images; ++i) {
    for (i64 channel = 0; channel < shape.n; ++channel) {
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
  free(filters);
}

static void images_of_any_size(void **state) {
  (void)state;
  for (i64 size = 1; size < 12; ++size) {
    check((shape_t){1, 16, WIDTH, {size, 13 - size}, {1, 1}, {1, 1}, 5, 3, 128, .has_bias = size % 2 == 0});
  }
}

static void tiles_of_all_images_are_numbered_through(void **state) {
  (void)state;
  check((shape_t){5, 8, WIDTH, {7, 9}, {1, 1}, {1, 1}, 12, 12, 128, .has_bias = true});
  check((shape_t){3, 8, WIDTH, {6, 6}, {1, 1}, {1, 1}, 7, 5, 128, .has_bias = false});
}

static void channels_that_fill_no_vector(void **state) {
  (void)state;
  for (i64 channels = 17; channels < 70; channels += 13) {
    check((shape_t){1, channels, channels + 6, {6, 7}, {1, 1}, {1, 1}, 8, 8, 24, .has_bias = true});
  }
}

static void padding_of_each_side(void **state) {
  (void)state;
  check((shape_t){1, 16, 20, {8, 8}, {0, 0}, {0, 0}, 9, 9, 16, .has_bias = false});
  check((shape_t){1, 16, 20, {5, 8}, {2, 0}, {0, 3}, 9, 10, 16, .has_bias = true});
  check((shape_t){1, 16, 20, {3, 3}, {4, 5}, {5, 4}, 9, 1, 16, .has_bias = false});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_of_any_size),
      cmocka_unit_test(tiles_of_all_images_are_numbered_through),
      cmocka_unit_test(channels_that_fill_no_vector),
      cmocka_unit_test(padding_of_each_side),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
