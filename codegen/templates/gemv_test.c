#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#include "codegen/templates/gemv.c"

typedef struct shape {
  i64 batch, m, n, k;
  int a_dtype, b_dtype;
  bool has_bias, is_cached;
} shape_t;

enum { BLOCK_COLUMNS = 16 };

static shape_t shape;
static buffer_t a, b, bias, c;

SIZE_HOOK(m, shape.m)
SIZE_HOOK(n, shape.n)
SIZE_HOOK(k, shape.k)
SIZE_HOOK(block_columns, BLOCK_COLUMNS)
SIZE_HOOK(a_dtype, shape.a_dtype)
SIZE_HOOK(b_dtype, shape.b_dtype)
SIZE_HOOK(a_m_stride, shape.k)
SIZE_HOOK(a_k_stride, 1)
SIZE_HOOK(b_n_stride, shape.k)
SIZE_HOOK(b_is_cached, shape.is_cached)
SIZE_HOOK(has_bias, shape.has_bias)
real_t genie_bias(const frame_t *frame, i64 n) {
  (void)frame;
  return (real_t)buffer_get(&bias, n);
}
const void *genie_a(const frame_t *frame, i64 batch) {
  (void)frame;
  return (char *)a.bytes + batch * shape.m * shape.k * storage_bytes(shape.a_dtype);
}
const void *genie_b(const frame_t *frame, i64 batch) {
  (void)frame;
  return (char *)b.bytes + batch * shape.n * shape.k * storage_bytes(shape.b_dtype);
}
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  (void)frame;
  buffer_store_once(&c, (batch * shape.m + m) * shape.n + n, (double)sum);
}

static void check(shape_t given) {
  shape = given;
  a = buffer_random(shape.a_dtype, shape.batch * shape.m * shape.k);
  b = buffer_random(shape.b_dtype, shape.batch * shape.n * shape.k);
  bias = buffer_random(REAL_DTYPE, shape.n);
  c = buffer_make(REAL_DTYPE, shape.batch * shape.m * shape.n);
  scratch_t scratch = scratch_make(GEMV_ROWS * (round_up(shape.k, GEMV_STEP) + BLOCK_COLUMNS));
  const frame_t frame = {NULL, NULL, scratch.bytes};
  run_grid(&frame, shape.batch * ceil_div(shape.n, BLOCK_COLUMNS));
  for (i64 batch = 0; batch < shape.batch; ++batch) {
    for (i64 m = 0; m < shape.m; ++m) {
      for (i64 n = 0; n < shape.n; ++n) {
        double want = shape.has_bias ? buffer_get(&bias, n) : 0;
        for (i64 k = 0; k < shape.k; ++k) {
          want +=
              buffer_get(&a, (batch * shape.m + m) * shape.k + k) * buffer_get(&b, (batch * shape.n + n) * shape.k + k);
        }
        assert_near(want, buffer_get(&c, (batch * shape.m + m) * shape.n + n), 1);
      }
    }
  }
  scratch_check(&scratch);
  buffer_free(&a);
  buffer_free(&b);
  buffer_free(&bias);
  buffer_free(&c);
}

static void one_to_four_rows_of_any_length(void **state) {
  (void)state;
  for (i64 m = 1; m <= GEMV_ROWS; ++m) {
    for (i64 k = 1; k < 150; k += 17) {
      check((shape_t){2, m, 37, k, REAL_DTYPE, REAL_DTYPE, .has_bias = m % 2, .is_cached = k % 2});
    }
  }
}

static void narrow_storage_is_widened(void **state) {
  (void)state;
  for (i64 k = 31; k < 100; k += 33) {
    check((shape_t){1, 1, 50, k, REAL_DTYPE, GENIE_DTYPE_BF16, .has_bias = true});
    check((shape_t){1, 3, 50, k, GENIE_DTYPE_BF16, GENIE_DTYPE_BF16, .has_bias = false, .is_cached = true});
    check((shape_t){1, 4, 50, k, GENIE_DTYPE_F16, GENIE_DTYPE_F16, .has_bias = false});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_to_four_rows_of_any_length),
      cmocka_unit_test(narrow_storage_is_widened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
