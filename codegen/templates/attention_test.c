#include "codegen/templates/template_test.h"
// The hooks below are the template's parameters.
#ifdef TEST_DECODE
#include "codegen/templates/attention_decode.c"
#else
#include "codegen/templates/attention.c"
#endif

typedef struct shape {
  i64 batch, heads, group, queries, keys, e, d;
  enum { NO_MASK, KEEP, ADD } mask;
  bool is_causal, is_interleaved;  // [.., position, head, e] instead of [.., head, position, e]
  int dtype;
  i64 masked_query;  // all keys of this query are masked
} shape_t;

static shape_t shape;
static buffer_t q, key, value, mask, y;

static i64 element(i64 heads, i64 length, i64 width, i64 batch, i64 head, i64 position) {
  return shape.is_interleaved ? ((batch * length + position) * heads + head) * width
                              : ((batch * heads + head) * length + position) * width;
}
static i64 row_stride(i64 heads, i64 width) {
  return shape.is_interleaved ? heads * width : width;
}
static i64 kv_heads(void) {
  return shape.heads / shape.group;
}

SIZE_HOOK(heads, shape.heads)
SIZE_HOOK(group, shape.group)
SIZE_HOOK(queries, shape.queries)
SIZE_HOOK(keys, shape.keys)
SIZE_HOOK(e, shape.e)
SIZE_HOOK(d, shape.d)
SIZE_HOOK(is_causal, shape.is_causal)
SIZE_HOOK(mask_kind, shape.mask)
SIZE_HOOK(q_dtype, shape.dtype)
SIZE_HOOK(key_dtype, shape.dtype)
SIZE_HOOK(value_dtype, shape.dtype)
SIZE_HOOK(q_row_stride, row_stride(shape.heads, shape.e))
SIZE_HOOK(key_row_stride, row_stride(kv_heads(), shape.e))
SIZE_HOOK(value_row_stride, row_stride(kv_heads(), shape.d))
SIZE_HOOK(q_stride, 1)
SIZE_HOOK(key_stride, 1)
SIZE_HOOK(value_stride, 1)
real_t genie_scale(const frame_t *frame) {
  (void)frame;
  return (real_t)3.5;
}
const void *genie_q(const frame_t *frame, i64 batch, i64 head) {
  (void)frame;
  return (char *)q.bytes + element(shape.heads, shape.queries, shape.e, batch, head, 0) * storage_bytes(shape.dtype);
}
const void *genie_key(const frame_t *frame, i64 batch, i64 head) {
  (void)frame;
  return (char *)key.bytes + element(kv_heads(), shape.keys, shape.e, batch, head, 0) * storage_bytes(shape.dtype);
}
const void *genie_value(const frame_t *frame, i64 batch, i64 head) {
  (void)frame;
  return (char *)value.bytes + element(kv_heads(), shape.keys, shape.d, batch, head, 0) * storage_bytes(shape.dtype);
}
real_t genie_mask(const frame_t *frame, i64 batch, i64 head, i64 query, i64 key_index) {
  (void)frame;
  (void)head;
  return (real_t)buffer_get(&mask, (batch * shape.queries + query) * shape.keys + key_index);
}
void genie_store(const frame_t *frame, i64 batch, i64 head, i64 query, i64 d, real_t sum) {
  (void)frame;
  buffer_store_once(&y, ((batch * shape.heads + head) * shape.queries + query) * shape.d + d, (double)sum);
}
#ifdef TEST_DECODE
static i64 scratch_count(void) {
  return shape.group * shape.queries * (round_up(shape.e, LANES) + round_up(shape.keys, LANES));
}
static i64 grid(void) {
  return shape.batch * kv_heads();
}
#else
enum { BLOCK_QUERIES = 24, BLOCK_KEYS = 64 };
SIZE_HOOK(block_queries, BLOCK_QUERIES)
SIZE_HOOK(block_keys, BLOCK_KEYS)
static i64 scratch_count(void) {
  return BLOCK_QUERIES * (shape.e + 2 * BLOCK_KEYS + round_up(shape.d, TILE_COLUMNS) + 2) +
         genie_max_i64(shape.e, BLOCK_KEYS) * TILE_COLUMNS + 64 / REAL_BYTES;
}
static i64 grid(void) {
  return shape.batch * shape.heads * ceil_div(shape.queries, BLOCK_QUERIES);
}
#endif

static void check_row(i64 batch, i64 head, i64 query) {
  double score[512], largest = -INFINITY, sum = 0;
  const i64 shared = head / shape.group;
  for (i64 j = 0; j < shape.keys; ++j) {
    double dot = 0;
    for (i64 e = 0; e < shape.e; ++e) {
      dot += buffer_get(&q, element(shape.heads, shape.queries, shape.e, batch, head, query) + e) *
             buffer_get(&key, element(kv_heads(), shape.keys, shape.e, batch, shared, j) + e);
    }
    const double m = buffer_get(&mask, (batch * shape.queries + query) * shape.keys + j);
    score[j] = dot * 3.5 + (shape.mask == ADD ? m : 0);
    if ((shape.mask == KEEP && m == 0) || (shape.is_causal && j > query)) score[j] = -INFINITY;
    largest = fmax(largest, score[j]);
  }
  for (i64 j = 0; j < shape.keys; ++j) {
    score[j] = largest == -INFINITY ? 0 : exp(score[j] - largest);
    sum += score[j];
  }
  for (i64 d = 0; d < shape.d; ++d) {
    double want = 0;
    for (i64 j = 0; j < shape.keys && sum > 0; ++j) {
      want += score[j] / sum * buffer_get(&value, element(kv_heads(), shape.keys, shape.d, batch, shared, j) + d);
    }
    assert_near(want, buffer_get(&y, ((batch * shape.heads + head) * shape.queries + query) * shape.d + d), 1);
  }
}

static void check(shape_t given) {
  shape = given;
  q = buffer_random(shape.dtype, shape.batch * shape.heads * shape.queries * shape.e);
  key = buffer_random(shape.dtype, shape.batch * kv_heads() * shape.keys * shape.e);
  value = buffer_random(shape.dtype, shape.batch * kv_heads() * shape.keys * shape.d);
  mask = buffer_random(REAL_DTYPE, shape.batch * shape.queries * shape.keys);
  y = buffer_make(REAL_DTYPE, shape.batch * shape.heads * shape.queries * shape.d);
  for (i64 i = 0; i < mask.count; ++i) {
    const bool is_masked = i / shape.keys % shape.queries == shape.masked_query || buffer_get(&mask, i) < -0.2;
    buffer_set(&mask, i, shape.mask == ADD ? (is_masked ? -INFINITY : buffer_get(&mask, i)) : !is_masked);
  }
  scratch_t scratch = scratch_make(scratch_count());
  const frame_t frame = {NULL, NULL, scratch.bytes};
  run_grid(&frame, grid());
  for (i64 row = 0; row < shape.batch * shape.heads * shape.queries; ++row) {
    check_row(row / shape.queries / shape.heads, row / shape.queries % shape.heads, row % shape.queries);
  }
  scratch_check(&scratch);
  buffer_free(&q);
  buffer_free(&key);
  buffer_free(&value);
  buffer_free(&mask);
  buffer_free(&y);
}

#ifdef TEST_DECODE
enum { SOME = 3, MANY = 4 };
#else
enum { SOME = 17, MANY = 60 };
#endif

static void lengths_and_widths_of_any_size(void **state) {
  (void)state;
  for (i64 keys = 1; keys < 200; keys += 33) {
    check((shape_t){2, 3, 1, SOME, keys, 24, 20, .dtype = REAL_DTYPE});
    check((shape_t){1, 2, 1, MANY, keys, 64, 64, .dtype = REAL_DTYPE, .is_interleaved = true});
    check((shape_t){1, 1, 1, 1, keys, 40, 97, .dtype = REAL_DTYPE});
  }
}

static void masks_and_rows_without_keys(void **state) {
  (void)state;
  for (int kind = KEEP; kind <= ADD; ++kind) {
    check((shape_t){2, 2, 1, SOME, 150, 16, 16, .mask = kind, .masked_query = 2, .dtype = REAL_DTYPE});
    check((shape_t){1, 2, 1, SOME, 9, 16, 32, .mask = kind, .masked_query = 0, .is_causal = true, .dtype = REAL_DTYPE});
  }
}

static void causal(void **state) {
  (void)state;
  check((shape_t){1, 2, 1, MANY, MANY, 32, 32, .is_causal = true, .dtype = REAL_DTYPE});
  check((shape_t){1, 1, 1, MANY, 150, 8, 48, .is_causal = true, .dtype = REAL_DTYPE});
  check((shape_t){1, 1, 1, MANY, 2, 8, 48, .is_causal = true, .dtype = REAL_DTYPE});
}

static void grouped_queries_and_narrow_storage(void **state) {
  (void)state;
  check((shape_t){2, 6, 3, SOME, 70, 32, 32, .dtype = REAL_DTYPE, .is_interleaved = true});
  check((shape_t){1, 8, 8, 1, 130, 64, 64, .dtype = REAL_DTYPE});
  check((shape_t){1, 4, 2, SOME, 70, 33, 32, .dtype = GENIE_DTYPE_BF16});
  check((shape_t){1, 4, 2, SOME, 70, 32, 40, .dtype = GENIE_DTYPE_F16, .is_interleaved = true});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lengths_and_widths_of_any_size),
      cmocka_unit_test(masks_and_rows_without_keys),
      cmocka_unit_test(causal),
      cmocka_unit_test(grouped_queries_and_narrow_storage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
