#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#include "codegen/templates/gemm.c"

typedef struct shape {
  i64 batch, m, n, k;
  int a_dtype, b_dtype;
  i64 a_m_stride, a_k_stride;  // 0: dense
  enum { PACKED, ROWS_OF_K, ROWS_OF_N, DIRECT } b_form;
  bool has_bias, is_m_dynamic;
  i64 block_rows, block_columns, block_depth;
} shape_t;

enum { WIDTH = 128 / REAL_BYTES };

static shape_t shape;
static buffer_t a, b, bias, c;

SIZE_HOOK(m, shape.m)
SIZE_HOOK(n, shape.n)
SIZE_HOOK(k, shape.k)
SIZE_HOOK(block_rows, shape.block_rows)
SIZE_HOOK(block_columns, shape.block_columns)
SIZE_HOOK(block_depth, shape.block_depth)
SIZE_HOOK(tail_rows, shape.is_m_dynamic ? 0 : shape.m % TILE_ROWS)
SIZE_HOOK(a_dtype, shape.a_dtype)
SIZE_HOOK(b_dtype, shape.b_dtype)
SIZE_HOOK(a_m_stride, shape.a_m_stride)
SIZE_HOOK(a_k_stride, shape.a_k_stride)
SIZE_HOOK(b_width, shape.b_form == PACKED ? WIDTH : 0)
SIZE_HOOK(b_is_direct, shape.b_form == DIRECT)
SIZE_HOOK(b_k_stride, shape.b_form == ROWS_OF_K ? 1 : shape.n)
SIZE_HOOK(b_n_stride, shape.b_form == ROWS_OF_K ? shape.k : 1)
SIZE_HOOK(has_bias, shape.has_bias)
real_t genie_bias(const frame_t *frame, i64 n) {
  (void)frame;
  return (real_t)buffer_get(&bias, n);
}
static i64 a_index(i64 batch, i64 m, i64 k) {
  return batch * shape.m * shape.k + m * shape.a_m_stride + k * shape.a_k_stride;
}
static i64 b_matrix(void) {
  return shape.k * (shape.b_form == PACKED ? round_up(shape.n, WIDTH) : shape.n);
}
static i64 b_index(i64 batch, i64 k, i64 n) {
  const i64 first = batch * b_matrix();
  switch (shape.b_form) {
    case PACKED:
      return first + (n / WIDTH * shape.k + k) * WIDTH + n % WIDTH;
    case ROWS_OF_K:
      return first + n * shape.k + k;
    default:
      return first + k * shape.n + n;
  }
}
const void *genie_a(const frame_t *frame, i64 batch) {
  (void)frame;
  return (char *)a.bytes + a_index(batch, 0, 0) * storage_bytes(shape.a_dtype);
}
const void *genie_b(const frame_t *frame, i64 batch) {
  (void)frame;
  return (char *)b.bytes + batch * b_matrix() * storage_bytes(shape.b_dtype);
}
void genie_store(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  (void)frame;
  buffer_store_once(&c, (batch * shape.m + m) * shape.n + n, (double)sum);
}

static void check(shape_t given) {
  shape = given;
  if (shape.a_m_stride == 0) {
    shape.a_m_stride = shape.k;
    shape.a_k_stride = 1;
  }
  a = buffer_random(shape.a_dtype, shape.batch * shape.m * shape.k);
  b = buffer_random(shape.b_dtype, shape.batch * b_matrix());
  bias = buffer_random(REAL_DTYPE, shape.n);
  c = buffer_make(REAL_DTYPE, shape.batch * shape.m * shape.n);
  scratch_t scratch =
      scratch_make(shape.block_rows * (shape.k + shape.block_columns) + shape.block_depth * WIDTH + 64 / REAL_BYTES);
  const frame_t frame = {NULL, NULL, scratch.bytes};
  run_grid(&frame, shape.batch * ceil_div(shape.m, shape.block_rows) * ceil_div(shape.n, shape.block_columns));
  for (i64 batch = 0; batch < shape.batch; ++batch) {
    for (i64 m = 0; m < shape.m; ++m) {
      for (i64 n = 0; n < shape.n; ++n) {
        double want = shape.has_bias ? buffer_get(&bias, n) : 0;
        for (i64 k = 0; k < shape.k; ++k) {
          want += buffer_get(&a, a_index(batch, m, k)) * buffer_get(&b, b_index(batch, k, n));
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

#define BLOCK .block_rows = 24, .block_columns = 2 * WIDTH, .block_depth = 24

static void every_remainder_of_rows_and_columns(void **state) {
  (void)state;
  for (i64 m = 1; m <= 26; ++m) {
    check((shape_t){1, m, 3 * m + 1, 7, REAL_DTYPE, REAL_DTYPE, .has_bias = m % 2, .b_form = PACKED, BLOCK});
    check((shape_t){1, m, 101 - m, 7, REAL_DTYPE, REAL_DTYPE, .is_m_dynamic = true, .b_form = PACKED, BLOCK});
  }
}

static void passes_over_k_add_up(void **state) {
  (void)state;
  for (i64 k = 0; k < 100; k += 11) {
    check((shape_t){1, 29, 70, k, REAL_DTYPE, REAL_DTYPE, .b_form = PACKED, .has_bias = true, BLOCK});
  }
}

static void b_is_read_in_any_form(void **state) {
  (void)state;
  for (int form = PACKED; form <= DIRECT; ++form) {
    check((shape_t){3, 27, 2 * WIDTH, 37, REAL_DTYPE, REAL_DTYPE, .b_form = form, BLOCK});
    if (form != DIRECT) {
      check((shape_t){2, 13, 27, 64, REAL_DTYPE, REAL_DTYPE, .b_form = form, BLOCK});
    }
  }
}

static void a_may_be_transposed(void **state) {
  (void)state;
  check((shape_t){2, 27, 40, 19, REAL_DTYPE, REAL_DTYPE, .a_m_stride = 1, .a_k_stride = 27, .b_form = PACKED, BLOCK});
}

static void narrow_storage_is_widened(void **state) {
  (void)state;
  for (int form = PACKED; form <= ROWS_OF_N; ++form) {
    check((shape_t){1, 25, 45, 50, GENIE_DTYPE_BF16, GENIE_DTYPE_BF16, .b_form = form, BLOCK});
    check((shape_t){1, 25, 45, 50, GENIE_DTYPE_F16, GENIE_DTYPE_F16, .b_form = form, BLOCK});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_remainder_of_rows_and_columns),
      cmocka_unit_test(passes_over_k_add_up),
      cmocka_unit_test(b_is_read_in_any_form),
      cmocka_unit_test(a_may_be_transposed),
      cmocka_unit_test(narrow_storage_is_widened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
