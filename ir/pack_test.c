#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// cmocka needs the headers above first.
#include "ir/pack.h"

#include <cmocka.h>

enum { WIDTH = 4 };

static const genie_pack_format_t *find(const char *name) {
  return genie_pack_find(name, strlen(name));
}

static void panel_n_holds_columns_of_k(void **state) {
  (void)state;
  const int64_t dims[] = {2, 5, 3};
  int16_t x[2 * 5 * 3], packed[2 * 2 * 3 * WIDTH];
  for (int i = 0; i < 30; ++i) x[i] = (int16_t)(i + 1);
  int64_t shape[4];
  assert_int_equal(find("panel_n")->shape(3, dims, 1, WIDTH, shape), 4);
  const int64_t want[] = {2, 2, 3, WIDTH};
  assert_memory_equal(shape, want, sizeof(want));
  find("panel_n")->pack(3, dims, 1, WIDTH, sizeof(int16_t), x, packed);
  for (int b = 0; b < 2; ++b) {
    for (int n = 0; n < 2 * WIDTH; ++n) {
      for (int k = 0; k < 3; ++k) {
        assert_int_equal(packed[((b * 2 + n / WIDTH) * 3 + k) * WIDTH + n % WIDTH], n < 5 ? x[(b * 5 + n) * 3 + k] : 0);
      }
    }
  }
}

static void conv_n_holds_taps_then_channels(void **state) {
  (void)state;
  const int64_t dims[] = {6, 3, 2, 2};
  float x[6 * 3 * 4], packed[2 * 4 * 3 * WIDTH];
  for (int i = 0; i < 72; ++i) x[i] = (float)(i + 1);
  int64_t shape[5];
  assert_int_equal(find("conv_n")->shape(4, dims, 1, WIDTH, shape), 5);
  const int64_t want[] = {2, 2, 2, 3, WIDTH};
  assert_memory_equal(shape, want, sizeof(want));
  find("conv_n")->pack(4, dims, 1, WIDTH, sizeof(float), x, packed);
  for (int o = 0; o < 2 * WIDTH; ++o) {
    for (int tap = 0; tap < 4; ++tap) {
      for (int c = 0; c < 3; ++c) {
        const float value = packed[((o / WIDTH * 4 + tap) * 3 + c) * WIDTH + o % WIDTH];
        assert_true(value == (o < 6 ? x[(o * 3 + c) * 4 + tap] : 0.0f));
      }
    }
  }
}

static void groups_have_panels_of_their_own(void **state) {
  (void)state;
  const int64_t dims[] = {10, 3, 2};  // two groups of five outputs
  float x[10 * 3 * 2], packed[2 * 2 * 2 * 3 * WIDTH];
  for (int i = 0; i < 60; ++i) x[i] = (float)(i + 1);
  int64_t shape[4];
  assert_int_equal(find("conv_n")->shape(3, dims, 2, WIDTH, shape), 4);
  const int64_t want[] = {4, 2, 3, WIDTH};
  assert_memory_equal(shape, want, sizeof(want));
  find("conv_n")->pack(3, dims, 2, WIDTH, sizeof(float), x, packed);
  for (int g = 0; g < 2; ++g) {
    for (int i = 0; i < 2 * 2 * 3 * WIDTH; ++i) {
      const int o = i / (2 * 3 * WIDTH) * WIDTH + i % WIDTH, tap = i / (3 * WIDTH) % 2, c = i / WIDTH % 3;
      const float value = packed[g * 2 * 2 * 3 * WIDTH + i];
      assert_true(value == (o < 5 ? x[((g * 5 + o) * 3 + c) * 2 + tap] : 0.0f));
    }
  }
}

static void transposed_n_swaps_channels_and_outputs(void **state) {
  (void)state;
  const int64_t dims[] = {6, 5, 2};  // two groups of three channels, five outputs each
  float x[6 * 5 * 2], packed[2 * 2 * 2 * 3 * WIDTH];
  for (int i = 0; i < 60; ++i) x[i] = (float)(i + 1);
  int64_t shape[4];
  assert_int_equal(find("transposed_n")->shape(3, dims, 2, WIDTH, shape), 4);
  const int64_t want[] = {4, 2, 3, WIDTH};
  assert_memory_equal(shape, want, sizeof(want));
  find("transposed_n")->pack(3, dims, 2, WIDTH, sizeof(float), x, packed);
  for (int g = 0; g < 2; ++g) {
    for (int i = 0; i < 2 * 2 * 3 * WIDTH; ++i) {
      const int o = i / (2 * 3 * WIDTH) * WIDTH + i % WIDTH, tap = i / (3 * WIDTH) % 2, c = i / WIDTH % 3;
      const float value = packed[g * 2 * 2 * 3 * WIDTH + i];
      assert_true(value == (o < 5 ? x[((g * 3 + c) * 5 + o) * 2 + tap] : 0.0f));
    }
  }
}

static void depthwise_holds_channels_of_a_tap(void **state) {
  (void)state;
  const int64_t dims[] = {5, 1, 3};
  float x[15], packed[3 * 8];
  for (int i = 0; i < 15; ++i) x[i] = (float)(i + 1);
  int64_t shape[4];
  assert_int_equal(find("depthwise")->shape(3, dims, 1, WIDTH, shape), 2);
  assert_int_equal(shape[0], 3);
  assert_int_equal(shape[1], 8);
  find("depthwise")->pack(3, dims, 1, WIDTH, sizeof(float), x, packed);
  for (int tap = 0; tap < 3; ++tap) {
    for (int c = 0; c < 8; ++c) {
      assert_true(packed[tap * 8 + c] == (c < 5 ? x[c * 3 + tap] : 0.0f));
    }
  }
}

// A filter of one tap w(r, s) = 1 is the product of column r and column s of G, whose rows are the powers of the points
// over the products of their distances; panels are zero beyond the outputs.
static void winograd_holds_filters_at_points(void **state) {
  (void)state;
  const double columns_2[3][4] = {{1, 0.5, 0.5, 0}, {0, 0.5, -0.5, 0}, {0, 0.5, 0.5, 1}};
  const double a = -2.0 / 3, b = 1.0 / 6, h = 0.70710678118654752440, t = 1.41421356237309504880;
  const double columns_4[3][6] = {
      {1, a, a, b, b, 0}, {0, a * h, -a * h, b * t, -b * t, 0}, {0, a / 2, a / 2, 2 * b, 2 * b, 1}};
  const int64_t dims[] = {5, 2, 3, 3};
  for (int tile = 2; tile <= 4; tile += 2) {
    const genie_pack_format_t *format = find(tile == 2 ? "winograd_2" : "winograd_4");
    const int size = tile + 2;
    int64_t shape[5];
    assert_int_equal(format->shape(4, dims, 1, WIDTH, shape), 5);
    const int64_t want_shape[] = {2, size, size, 2, WIDTH};
    assert_memory_equal(shape, want_shape, sizeof(want_shape));
    for (int tap = 0; tap < 9; ++tap) {
      float x[5 * 2 * 9] = {0}, packed[2 * 36 * 2 * WIDTH];
      for (int filter = 0; filter < 10; ++filter) x[filter * 9 + tap] = (float)(filter + 1);
      format->pack(4, dims, 1, WIDTH, sizeof(float), x, packed);
      for (int i = 0; i < 2 * size * size * 2 * WIDTH; ++i) {
        const int o = i / (size * size * 2 * WIDTH) * WIDTH + i % WIDTH, c = i / WIDTH % 2,
                  point = i / (2 * WIDTH) % (size * size);
        const double row = tile == 2 ? columns_2[tap / 3][point / size] : columns_4[tap / 3][point / size];
        const double column = tile == 2 ? columns_2[tap % 3][point % size] : columns_4[tap % 3][point % size];
        const double want = o < 5 ? row * column * (o * 2 + c + 1) : 0;
        assert_true(fabs((double)packed[i] - want) <= 1e-6 * fabs(want));
      }
    }
  }
}

static void unknown_formats_are_not_found(void **state) {
  (void)state;
  assert_null(find("panel"));
  assert_null(find("panel_nn"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(panel_n_holds_columns_of_k),        cmocka_unit_test(conv_n_holds_taps_then_channels),
      cmocka_unit_test(groups_have_panels_of_their_own),   cmocka_unit_test(transposed_n_swaps_channels_and_outputs),
      cmocka_unit_test(depthwise_holds_channels_of_a_tap), cmocka_unit_test(winograd_holds_filters_at_points),
      cmocka_unit_test(unknown_formats_are_not_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
