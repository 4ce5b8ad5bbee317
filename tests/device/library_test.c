// Calls of vendor libraries on this machine's GPU against sums in double: library_test [LIBRARY_PATH]. Each call is
// made directly and from a graph. Without a GPU it says so and passes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "genie/dtype.h"
#include "runtime/device/device.h"
#include "runtime/plan/library_call.h"

#include <cmocka.h>

static genie_device_t *device;
static genie_device_stream_t *stream;

static void assert_ok(genie_status_t status) {
  if (status != GENIE_OK) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_true(status == GENIE_OK);
}

// ---- Elements ----

static double load(const void *data, genie_dtype_t dtype, int64_t index) {
  switch (dtype) {
    case GENIE_DTYPE_F64:
      return ((const double *)data)[index];
    case GENIE_DTYPE_F32:
      return (double)((const float *)data)[index];
    case GENIE_DTYPE_F16:
      return (double)((const _Float16 *)data)[index];
    default: {
      const uint32_t bits = (uint32_t)((const uint16_t *)data)[index] << 16;
      float value = 0;
      memcpy(&value, &bits, sizeof(value));
      return (double)value;
    }
  }
}

static void store(void *data, genie_dtype_t dtype, int64_t index, double value) {
  switch (dtype) {
    case GENIE_DTYPE_F64:
      ((double *)data)[index] = value;
      return;
    case GENIE_DTYPE_F32:
      ((float *)data)[index] = (float)value;
      return;
    case GENIE_DTYPE_F16:
      ((_Float16 *)data)[index] = (_Float16)value;
      return;
    default: {
      const float rounded = (float)value;
      uint32_t bits = 0;
      memcpy(&bits, &rounded, sizeof(bits));
      ((uint16_t *)data)[index] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
  }
}

// The error that rounding the operands' products and the result may make.
static double tolerance_of(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F64 ? 1e-13 : dtype == GENIE_DTYPE_F32 ? 2e-6 : dtype == GENIE_DTYPE_F16 ? 2e-3 : 1.6e-2;
}

static uint64_t random_state = 1;

static double random_value(void) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (double)(random_state >> 40) / (double)(1 << 23) - 1.0;
}

// ---- Tensors in both memories ----

typedef struct tensor {
  genie_device_memory_t memory;
  void *host;
  genie_dtype_t dtype;
  int64_t count;
} tensor_t;

static tensor_t make_tensor(genie_dtype_t dtype, int64_t count) {
  tensor_t tensor = {.dtype = dtype, .count = count};
  const uint64_t bytes = (uint64_t)count * genie_dtype_bytes(dtype);
  tensor.host = malloc(bytes);
  for (int64_t i = 0; i < count; ++i) {
    store(tensor.host, dtype, i, random_value());
  }
  assert_ok(device->ops->memory_allocate(device, bytes, &tensor.memory));
  assert_ok(device->ops->copy(device, stream, tensor.memory.address, tensor.host, bytes));
  assert_ok(device->ops->stream_synchronize(device, stream));
  return tensor;
}

static void free_tensor(tensor_t *tensor) {
  device->ops->memory_free(device, &tensor->memory);
  free(tensor->host);
}

static void read_tensor(tensor_t *tensor) {
  assert_ok(device->ops->copy(device, stream, tensor->host, tensor->memory.address, tensor->memory.size_bytes));
  assert_ok(device->ops->stream_synchronize(device, stream));
}

static void poison(tensor_t *tensor) {
  memset(tensor->host, 0xff, tensor->memory.size_bytes);  // not a number
  assert_ok(device->ops->copy(device, stream, tensor->memory.address, tensor->host, tensor->memory.size_bytes));
}

static void compare(tensor_t *result, const double *expected, const char *what) {
  double worst = 0, largest = 0;
  read_tensor(result);
  for (int64_t i = 0; i < result->count; ++i) {
    const double difference = load(result->host, result->dtype, i) - expected[i];
    worst = difference == difference ? (difference > worst    ? difference
                                        : -difference > worst ? -difference
                                                              : worst)
                                     : 1e9;
    largest = expected[i] > largest ? expected[i] : -expected[i] > largest ? -expected[i] : largest;
  }
  print_message("%s: error %.2e of %.3g\n", what, worst, largest);
  assert_true(worst <= tolerance_of(result->dtype) * largest);
}

// Runs the call twice, by itself and from a graph, each into poisoned memory.
static void run_and_compare(const char *function, const genie_device_launch_t *launch, tensor_t *result,
                            const double *expected, const char *what) {
  genie_device_graph_t *graph = NULL;
  poison(result);
  assert_ok(device->ops->library_call(device, stream, function, launch));
  compare(result, expected, what);
  assert_ok(device->ops->graph_begin(device, stream));
  assert_ok(device->ops->library_call(device, stream, function, launch));
  assert_ok(device->ops->graph_end(device, stream, &graph));
  poison(result);
  assert_ok(device->ops->graph_launch(device, stream, graph));
  compare(result, expected, "  as a graph");
  device->ops->graph_destroy(device, graph);
}

// ---- Products ----

typedef struct matmul_case {
  int64_t batch, m, n, k;
  bool is_a_transposed, is_b_transposed;
  genie_dtype_t type, d_type;
  int64_t flags, activation, math;
  double alpha;
} matmul_case_t;

static double activate(double value, int64_t activation) {
  switch (activation) {
    case GENIE_LIBRARY_ACTIVATION_RELU:
      return value > 0 ? value : 0;
    case GENIE_LIBRARY_ACTIVATION_GELU_TANH:
      return 0.5 * value * (1 + __builtin_tanh(0.7978845608028654 * (value + 0.044715 * value * value * value)));
    default:
      return value;
  }
}

static double *expect_matmul(const matmul_case_t *c, const tensor_t *a, const tensor_t *b, const tensor_t *bias,
                             const tensor_t *residual) {
  double *expected = malloc((size_t)(c->batch * c->m * c->n) * sizeof(double));
  for (int64_t i = 0; i < c->batch * c->m * c->n; ++i) {
    const int64_t batch = i / (c->m * c->n), row = i / c->n % c->m, column = i % c->n;
    double sum = 0;
    for (int64_t k = 0; k < c->k; ++k) {
      const int64_t a_at = batch * c->m * c->k + (c->is_a_transposed ? k * c->m + row : row * c->k + k);
      const int64_t b_at = batch * c->n * c->k + (c->is_b_transposed ? column * c->k + k : k * c->n + column);
      sum += load(a->host, c->type, a_at) * load(b->host, c->type, b_at);
    }
    sum *= c->alpha;
    sum += (c->flags & GENIE_LIBRARY_HAS_BIAS) != 0 ? load(bias->host, c->d_type, column) : 0;
    sum += (c->flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0 ? load(residual->host, c->d_type, i) : 0;
    expected[i] = activate(sum, c->activation);
  }
  return expected;
}

static void run_matmul(const matmul_case_t *c) {
  tensor_t a = make_tensor(c->type, c->batch * c->m * c->k);
  tensor_t b = make_tensor(c->type, c->batch * c->k * c->n);
  tensor_t d = make_tensor(c->d_type, c->batch * c->m * c->n);
  tensor_t bias = make_tensor(c->d_type, c->n);
  tensor_t residual = make_tensor(c->d_type, c->batch * c->m * c->n);
  void *args[5] = {a.memory.address, b.memory.address, d.memory.address};
  uint32_t arg_count = 3;
  if ((c->flags & GENIE_LIBRARY_HAS_BIAS) != 0) {
    args[arg_count++] = bias.memory.address;
  }
  if ((c->flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0) {
    args[arg_count++] = residual.memory.address;
  }
  int64_t dims[GENIE_LIBRARY_MATMUL_DIM_COUNT] = {
      [GENIE_LIBRARY_MATMUL_BATCH] = c->batch,
      [GENIE_LIBRARY_MATMUL_M] = c->m,
      [GENIE_LIBRARY_MATMUL_N] = c->n,
      [GENIE_LIBRARY_MATMUL_K] = c->k,
      [GENIE_LIBRARY_MATMUL_A_ROW_STRIDE] = c->is_a_transposed ? c->m : c->k,
      [GENIE_LIBRARY_MATMUL_A_BATCH_STRIDE] = c->m * c->k,
      [GENIE_LIBRARY_MATMUL_B_ROW_STRIDE] = c->is_b_transposed ? c->k : c->n,
      [GENIE_LIBRARY_MATMUL_B_BATCH_STRIDE] = c->k * c->n,
      [GENIE_LIBRARY_MATMUL_D_ROW_STRIDE] = c->n,
      [GENIE_LIBRARY_MATMUL_D_BATCH_STRIDE] = c->m * c->n,
      [GENIE_LIBRARY_MATMUL_A_IS_TRANSPOSED] = c->is_a_transposed,
      [GENIE_LIBRARY_MATMUL_B_IS_TRANSPOSED] = c->is_b_transposed,
      [GENIE_LIBRARY_MATMUL_TYPE] = c->type,
      [GENIE_LIBRARY_MATMUL_D_TYPE] = c->d_type,
      [GENIE_LIBRARY_MATMUL_FLAGS] = c->flags,
      [GENIE_LIBRARY_MATMUL_ACTIVATION] = c->activation,
      [GENIE_LIBRARY_MATMUL_MATH] = c->math,
  };
  memcpy(&dims[GENIE_LIBRARY_MATMUL_ALPHA_BITS], &c->alpha, sizeof(c->alpha));
  const genie_device_launch_t launch = {
      .args = args, .dims = dims, .arg_count = arg_count, .dim_count = GENIE_LIBRARY_MATMUL_DIM_COUNT, .task_count = 1};
  char what[160];
  snprintf(what, sizeof(what), "matmul %lld x %lld x %lld x %lld %s%s %s to %s, flags %lld, activation %lld",
           (long long)c->batch, (long long)c->m, (long long)c->n, (long long)c->k, c->is_a_transposed ? "T" : "N",
           c->is_b_transposed ? "T" : "N", genie_dtype_name(c->type), genie_dtype_name(c->d_type), (long long)c->flags,
           (long long)c->activation);
  double *expected = expect_matmul(c, &a, &b, &bias, &residual);
  run_and_compare("cublaslt.matmul", &launch, &d, expected, what);
  free(expected);
  tensor_t *tensors[] = {&a, &b, &d, &bias, &residual};
  for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); ++i) {
    free_tensor(tensors[i]);
  }
}

static void test_products(void **state) {
  (void)state;
  enum { BIAS = GENIE_LIBRARY_HAS_BIAS, RESIDUAL = GENIE_LIBRARY_HAS_RESIDUAL };
  static const matmul_case_t kCases[] = {
      {1, 64, 96, 128, false, true, GENIE_DTYPE_F16, GENIE_DTYPE_F16, 0, 0, 0, 1},
      {1, 7, 5, 3, false, false, GENIE_DTYPE_F32, GENIE_DTYPE_F32, 0, 0, 0, 1},
      {1, 33, 40, 65, true, false, GENIE_DTYPE_F32, GENIE_DTYPE_F32, 0, 0, 0, 0.5},
      {1, 33, 40, 64, true, true, GENIE_DTYPE_F64, GENIE_DTYPE_F64, 0, 0, 0, 1},
      {1, 128, 768, 768, false, true, GENIE_DTYPE_F16, GENIE_DTYPE_F16, BIAS, 0, 0, 1},
      {1, 128, 256, 512, false, true, GENIE_DTYPE_BF16, GENIE_DTYPE_BF16, BIAS, GENIE_LIBRARY_ACTIVATION_RELU, 0, 1},
      {1, 128, 256, 512, false, true, GENIE_DTYPE_F16, GENIE_DTYPE_F16, BIAS, GENIE_LIBRARY_ACTIVATION_GELU_TANH, 0, 1},
      {1, 96, 64, 256, false, true, GENIE_DTYPE_F16, GENIE_DTYPE_F16, BIAS | RESIDUAL, 0, 0, 1},
      {1, 96, 64, 256, false, true, GENIE_DTYPE_BF16, GENIE_DTYPE_BF16, RESIDUAL, 0, 0, 1},
      {1, 64, 64, 64, false, true, GENIE_DTYPE_BF16, GENIE_DTYPE_F32, 0, 0, 0, 1},
      {12, 64, 64, 32, false, true, GENIE_DTYPE_F16, GENIE_DTYPE_F16, 0, 0, 0, 0.125},
      {12, 64, 32, 64, false, false, GENIE_DTYPE_F32, GENIE_DTYPE_F32, 0, 0, 0, 1},
      {1, 256, 256, 512, false, true, GENIE_DTYPE_F32, GENIE_DTYPE_F32, BIAS, GENIE_LIBRARY_ACTIVATION_RELU, 0, 1},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    run_matmul(&kCases[i]);
  }
}

static void test_an_empty_product_does_nothing(void **state) {
  (void)state;
  void *args[3] = {NULL, NULL, NULL};
  int64_t dims[GENIE_LIBRARY_MATMUL_DIM_COUNT] = {
      [GENIE_LIBRARY_MATMUL_BATCH] = 1, [GENIE_LIBRARY_MATMUL_N] = 8, [GENIE_LIBRARY_MATMUL_K] = 8};
  const genie_device_launch_t launch = {
      .args = args, .dims = dims, .arg_count = 3, .dim_count = GENIE_LIBRARY_MATMUL_DIM_COUNT};
  assert_ok(device->ops->library_call(device, stream, "cublaslt.matmul", &launch));
}

// ---- Convolutions ----

typedef struct conv_case {
  int64_t n, h, w, c, k, r, s, stride, pad, dilation, groups;
  genie_dtype_t type;
  int64_t flags, activation;
} conv_case_t;

static double *expect_conv(const conv_case_t *c, int64_t p, int64_t q, const tensor_t *x, const tensor_t *w,
                           const tensor_t *bias, const tensor_t *residual) {
  const int64_t group_c = c->c / c->groups, group_k = c->k / c->groups;
  double *expected = malloc((size_t)(c->n * p * q * c->k) * sizeof(double));
  for (int64_t i = 0; i < c->n * p * q * c->k; ++i) {
    const int64_t n = i / (p * q * c->k), row = i / (q * c->k) % p, column = i / c->k % q, k = i % c->k;
    double sum = 0;
    for (int64_t at = 0; at < c->r * c->s * group_c; ++at) {
      const int64_t r = at / (c->s * group_c), s = at / group_c % c->s, channel = at % group_c;
      const int64_t y = row * c->stride - c->pad + r * c->dilation, z = column * c->stride - c->pad + s * c->dilation;
      if (y >= 0 && y < c->h && z >= 0 && z < c->w) {
        sum += load(x->host, c->type, ((n * c->h + y) * c->w + z) * c->c + k / group_k * group_c + channel) *
               load(w->host, c->type, k * c->r * c->s * group_c + at);
      }
    }
    sum += (c->flags & GENIE_LIBRARY_HAS_BIAS) != 0 ? load(bias->host, c->type, k) : 0;
    sum += (c->flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0 ? load(residual->host, c->type, i) : 0;
    expected[i] = activate(sum, c->activation);
  }
  return expected;
}

static void run_conv(const conv_case_t *c) {
  const int64_t p = (c->h + 2 * c->pad - c->dilation * (c->r - 1) - 1) / c->stride + 1;
  const int64_t q = (c->w + 2 * c->pad - c->dilation * (c->s - 1) - 1) / c->stride + 1;
  tensor_t x = make_tensor(c->type, c->n * c->h * c->w * c->c);
  tensor_t w = make_tensor(c->type, c->k * c->r * c->s * c->c / c->groups);
  tensor_t y = make_tensor(c->type, c->n * p * q * c->k);
  tensor_t bias = make_tensor(c->type, c->k);
  tensor_t residual = make_tensor(c->type, c->n * p * q * c->k);
  void *args[5] = {x.memory.address, w.memory.address, y.memory.address};
  uint32_t arg_count = 3;
  if ((c->flags & GENIE_LIBRARY_HAS_BIAS) != 0) {
    args[arg_count++] = bias.memory.address;
  }
  if ((c->flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0) {
    args[arg_count++] = residual.memory.address;
  }
  const int64_t dims[GENIE_LIBRARY_CONV_DIM_COUNT] = {
      c->n,   c->h,   c->w,   c->c,        c->k,        c->r,      c->s,    c->stride, c->stride,     c->pad,
      c->pad, c->pad, c->pad, c->dilation, c->dilation, c->groups, c->type, c->flags,  c->activation,
  };
  const genie_device_launch_t launch = {
      .args = args, .dims = dims, .arg_count = arg_count, .dim_count = GENIE_LIBRARY_CONV_DIM_COUNT, .task_count = 1};
  char what[160];
  snprintf(what, sizeof(what),
           "conv %lld x %lld x %lld x %lld to %lld, %lld x %lld / %lld, groups %lld, %s, flags %lld", (long long)c->n,
           (long long)c->h, (long long)c->w, (long long)c->c, (long long)c->k, (long long)c->r, (long long)c->s,
           (long long)c->stride, (long long)c->groups, genie_dtype_name(c->type), (long long)c->flags);
  double *expected = expect_conv(c, p, q, &x, &w, &bias, &residual);
  run_and_compare("cudnn.conv", &launch, &y, expected, what);
  free(expected);
  tensor_t *tensors[] = {&x, &w, &y, &bias, &residual};
  for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); ++i) {
    free_tensor(tensors[i]);
  }
}

static void test_convolutions(void **state) {
  (void)state;
  enum { BIAS = GENIE_LIBRARY_HAS_BIAS, RESIDUAL = GENIE_LIBRARY_HAS_RESIDUAL, RELU = GENIE_LIBRARY_ACTIVATION_RELU };
  static const conv_case_t kCases[] = {
      {1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, GENIE_DTYPE_F16, BIAS, RELU},
      {1, 14, 14, 64, 128, 1, 1, 2, 0, 1, 1, GENIE_DTYPE_F16, BIAS, 0},
      {2, 14, 14, 64, 64, 1, 1, 1, 0, 1, 1, GENIE_DTYPE_F16, BIAS | RESIDUAL, RELU},
      {1, 30, 30, 8, 64, 7, 7, 2, 3, 1, 1, GENIE_DTYPE_F16, BIAS, RELU},
      {1, 15, 15, 32, 32, 3, 3, 1, 2, 2, 1, GENIE_DTYPE_BF16, BIAS, 0},
      {1, 14, 14, 32, 64, 3, 3, 1, 1, 1, 1, GENIE_DTYPE_F32, BIAS, RELU},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    run_conv(&kCases[i]);
  }
}

// ---- Attention ----

typedef struct sdpa_case {
  int64_t batch, heads, kv_heads, queries, keys, length;
  genie_dtype_t type;
} sdpa_case_t;

// Rows of all heads follow each other: [batch, rows, heads, length].
static double *expect_sdpa(const sdpa_case_t *c, double scale, const tensor_t *q, const tensor_t *k,
                           const tensor_t *v) {
  double *expected = malloc((size_t)q->count * sizeof(double));
  double *weights = malloc((size_t)c->keys * sizeof(double));
  for (int64_t row = 0; row < c->batch * c->queries * c->heads; ++row) {
    const int64_t batch = row / (c->queries * c->heads), kv_head = row % c->heads / (c->heads / c->kv_heads);
    double sum = 0;
    for (int64_t key = 0; key < c->keys; ++key) {
      const int64_t at = ((batch * c->keys + key) * c->kv_heads + kv_head) * c->length;
      double score = 0;
      for (int64_t i = 0; i < c->length; ++i) {
        score += load(q->host, c->type, row * c->length + i) * load(k->host, c->type, at + i);
      }
      weights[key] = __builtin_exp(score * scale);
      sum += weights[key];
    }
    for (int64_t i = 0; i < c->length; ++i) {
      double value = 0;
      for (int64_t key = 0; key < c->keys; ++key) {
        value +=
            weights[key] * load(v->host, c->type, ((batch * c->keys + key) * c->kv_heads + kv_head) * c->length + i);
      }
      expected[row * c->length + i] = value / sum;
    }
  }
  free(weights);
  return expected;
}

static void run_sdpa(const sdpa_case_t *c) {
  const double scale = 1 / __builtin_sqrt((double)c->length);
  tensor_t q = make_tensor(c->type, c->batch * c->queries * c->heads * c->length);
  tensor_t k = make_tensor(c->type, c->batch * c->keys * c->kv_heads * c->length);
  tensor_t v = make_tensor(c->type, c->batch * c->keys * c->kv_heads * c->length);
  tensor_t o = make_tensor(c->type, q.count);
  void *args[] = {q.memory.address, k.memory.address, v.memory.address, o.memory.address};
  const int64_t q_row = c->heads * c->length, kv_row = c->kv_heads * c->length;
  int64_t dims[GENIE_LIBRARY_SDPA_DIM_COUNT] = {c->batch,
                                                c->heads,
                                                c->kv_heads,
                                                c->queries,
                                                c->keys,
                                                c->length,
                                                c->length,
                                                q_row * c->queries,
                                                c->length,
                                                q_row,
                                                kv_row * c->keys,
                                                c->length,
                                                kv_row,
                                                kv_row * c->keys,
                                                c->length,
                                                kv_row,
                                                q_row * c->queries,
                                                c->length,
                                                q_row,
                                                c->type,
                                                0};
  memcpy(&dims[GENIE_LIBRARY_SDPA_SCALE_BITS], &scale, sizeof(scale));
  const genie_device_launch_t launch = {
      .args = args, .dims = dims, .arg_count = 4, .dim_count = GENIE_LIBRARY_SDPA_DIM_COUNT, .task_count = 1};
  char what[160];
  snprintf(what, sizeof(what), "attention of %lld x %lld heads (%lld), %lld queries, %lld keys of %lld, %s",
           (long long)c->batch, (long long)c->heads, (long long)c->kv_heads, (long long)c->queries, (long long)c->keys,
           (long long)c->length, genie_dtype_name(c->type));
  double *expected = expect_sdpa(c, scale, &q, &k, &v);
  run_and_compare("cudnn.sdpa", &launch, &o, expected, what);
  free(expected);
  tensor_t *tensors[] = {&q, &k, &v, &o};
  for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); ++i) {
    free_tensor(tensors[i]);
  }
}

static void test_attention(void **state) {
  (void)state;
  static const sdpa_case_t kCases[] = {
      {1, 12, 12, 128, 128, 64, GENIE_DTYPE_F16},
      {2, 12, 12, 197, 197, 64, GENIE_DTYPE_F16},
      {1, 8, 2, 64, 96, 64, GENIE_DTYPE_BF16},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    run_sdpa(&kCases[i]);
  }
}

// ---- What a context costs ----

static long resident_mb(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) {
    pages = 0;
  }
  if (file != NULL) {
    fclose(file);
  }
  return pages * 4096 / 1000000;
}

int main(int argc, char **argv) {
  const genie_device_options_t options = {.library_path = argc > 1 ? argv[1] : NULL};
  printf("resident before the driver: %ld MB\n", resident_mb());
  genie_status_t status = genie_device_create("cuda", &options, genie_allocator_heap(), &device);
  if (status == GENIE_OK) {
    status = device->ops->stream_create(device, &stream);
  }
  if (genie_status_code(status) == GENIE_STATUS_FAILED_PRECONDITION) {
    printf("left out: %s\n", genie_status_message(status));
    genie_status_free(status);
    return 0;
  }
  if (status != GENIE_OK) {
    printf("%s\n", genie_status_message(status));
    return 1;
  }
  printf("resident with one context: %ld MB\n", resident_mb());
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_products),
                                     cmocka_unit_test(test_an_empty_product_does_nothing),
                                     cmocka_unit_test(test_convolutions), cmocka_unit_test(test_attention)};
  const int failure_count = cmocka_run_group_tests_name("libraries", tests, NULL, NULL);
  printf("resident with libraries: %ld MB\n", resident_mb());
  device->ops->stream_destroy(device, stream);
  genie_device_destroy(device);
  return failure_count;
}
