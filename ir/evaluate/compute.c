// Reductions, products and look-ups: what weights meet before they are used (folded norms, rotary tables, position
// biases).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/evaluate/evaluate_op.h"

static genie_status_t no_memory(void) {
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory to evaluate a constant");
}

static const char *element(const genie_host_tensor_t *tensor, int64_t index) {
  return (const char *)tensor->data + index * (int64_t)genie_dtype_bytes(tensor->dtype);
}

static double read_double(const genie_host_tensor_t *tensor, int64_t index) {
  genie_block_t block;
  genie_block_load(tensor->dtype, element(tensor, index), true, 1, &block);
  const genie_block_class_t class = genie_block_class_of(tensor->dtype);
  return class == GENIE_BLOCK_F32 ? block.f32[0] : class == GENIE_BLOCK_F64 ? block.f64[0] : (double)block.i64[0];
}

static int64_t read_index(const genie_host_tensor_t *tensor, int64_t index) {
  return tensor->dtype == GENIE_DTYPE_I64 ? ((const int64_t *)tensor->data)[index]
                                          : ((const int32_t *)tensor->data)[index];
}

// The whole tensor as doubles; the caller frees.
static double *read_doubles(const genie_host_tensor_t *tensor) {
  const int64_t count = genie_host_tensor_count(tensor);
  double *numbers = malloc(sizeof(double) * (size_t)(count > 0 ? count : 1));
  for (int64_t i = 0; numbers != NULL && i < count; ++i) {
    numbers[i] = read_double(tensor, i);
  }
  return numbers;
}

static void write_doubles(const double *numbers, genie_host_tensor_t *result) {
  const int64_t count = genie_host_tensor_count(result);
  for (int64_t at = 0; at < count; at += GENIE_BLOCK_COUNT) {
    genie_block_t block;
    const int length = count - at < GENIE_BLOCK_COUNT ? (int)(count - at) : GENIE_BLOCK_COUNT;
    memcpy(block.f64, numbers + at, sizeof(double) * (size_t)length);
    genie_block_store(GENIE_BLOCK_F64, &block, length, result->dtype, (char *)element(result, at));
  }
}

//===-- Reductions ------------------------------------------------------------------------------------------------===//

typedef struct reduction {
  const char *name;
  double initial;
  double (*combine)(double sum, double x);
} reduction_t;

static double combine_sum(double sum, double x) {
  return sum + x;
}
static double combine_product(double sum, double x) {
  return sum * x;
}
static double combine_largest(double sum, double x) {
  return x > sum || x != x ? x : sum;
}
static double combine_smallest(double sum, double x) {
  return x < sum || x != x ? x : sum;
}
static double combine_any(double sum, double x) {
  return sum != 0 || x != 0;
}
static double combine_all(double sum, double x) {
  return sum != 0 && x != 0;
}

static const reduction_t reductions[] = {
    {"genie.sum", 0, combine_sum},
    {"genie.mean", 0, combine_sum},
    {"genie.prod", 1, combine_product},
    {"genie.amax", -INFINITY, combine_largest},
    {"genie.amin", INFINITY, combine_smallest},
    {"genie.any", 0, combine_any},
    {"genie.all", 1, combine_all},
};

static const reduction_t *find_reduction(MlirOperation op) {
  for (size_t i = 0; i < sizeof(reductions) / sizeof(reductions[0]); ++i) {
    if (genie_op_is(op, reductions[i].name)) {
      return &reductions[i];
    }
  }
  return NULL;
}

// Strides of the result for each dimension of x: 0 where it is reduced. Returns how many elements meet in one result.
static int64_t reduced_strides(MlirOperation op, const genie_host_tensor_t *x, int64_t *out_strides) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  int64_t stride = 1;
  int64_t met = 1;
  int next = count - 1;
  for (int i = x->rank - 1; i >= 0; --i) {
    const bool is_reduced = next >= 0 && axes[next] == i;
    out_strides[i] = is_reduced ? 0 : stride;
    stride *= is_reduced ? 1 : x->dims[i];
    met *= is_reduced ? x->dims[i] : 1;
    next -= is_reduced;
  }
  return met;
}

static genie_status_t evaluate_reduce(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                      genie_host_tensor_t *result) {
  (void)operand_count;
  const reduction_t *reduction = find_reduction(op);
  const genie_host_tensor_t *x = &operands[0];
  int64_t strides[GENIE_IR_MAX_RANK];
  const int64_t met = reduced_strides(op, x, strides);
  const int64_t count = genie_host_tensor_count(result);
  double *sums = malloc(sizeof(double) * (size_t)(count > 0 ? count : 1));
  if (sums == NULL) {
    return no_memory();
  }
  for (int64_t i = 0; i < count; ++i) {
    sums[i] = reduction->initial;
  }
  for (int64_t i = 0; i < genie_host_tensor_count(x); ++i) {
    int64_t rest = i;
    int64_t at = 0;
    for (int dim = x->rank - 1; dim >= 0; --dim) {
      at += rest % x->dims[dim] * strides[dim];
      rest /= x->dims[dim];
    }
    sums[at] = reduction->combine(sums[at], read_double(x, i));
  }
  for (int64_t i = 0; i < count && genie_op_is(op, "genie.mean"); ++i) {
    sums[i] /= (double)met;
  }
  write_doubles(sums, result);
  free(sums);
  return GENIE_OK;
}

//===-- Products --------------------------------------------------------------------------------------------------===//

// One matrix product: out[m, n] += sum over k of lhs[m, k] * rhs[k * rhs_k + n * rhs_n].
typedef struct product {
  int64_t m, n, k, rhs_k, rhs_n;
} product_t;

static void multiply(const product_t *product, const double *lhs, const double *rhs, double *out) {
  for (int64_t i = 0; i < product->m; ++i) {
    for (int64_t j = 0; j < product->n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < product->k; ++k) {
        sum += lhs[i * product->k + k] * rhs[k * product->rhs_k + j * product->rhs_n];
      }
      out[i * product->n + j] += sum;
    }
  }
}

// Leading dimensions broadcast: the matrix of `operand` for the result's matrix `batch`.
static int64_t batch_of(const genie_host_tensor_t *operand, const genie_host_tensor_t *result, int64_t batch) {
  int64_t index = 0;
  int64_t stride = 1;
  for (int i = result->rank - 3; i >= 0; --i) {
    const int own = i - (result->rank - operand->rank);
    const int64_t at = batch % result->dims[i];
    batch /= result->dims[i];
    if (own >= 0) {
      index += operand->dims[own] == 1 ? 0 : at * stride;
      stride *= operand->dims[own];
    }
  }
  return index;
}

static void multiply_matmul(const genie_host_tensor_t *operands, const double *lhs, const double *rhs,
                            const genie_host_tensor_t *result, double *out) {
  const genie_host_tensor_t *a = &operands[0];
  product_t product = {
      .m = result->dims[result->rank - 2], .n = result->dims[result->rank - 1], .k = a->dims[a->rank - 1], .rhs_n = 1};
  product.rhs_k = product.n;
  const int64_t size = product.m * product.n;
  const int64_t batches = size == 0 ? 0 : genie_host_tensor_count(result) / size;
  for (int64_t i = 0; i < batches; ++i) {
    multiply(&product, lhs + batch_of(a, result, i) * product.m * product.k,
             rhs + batch_of(&operands[1], result, i) * product.k * product.n, out + i * size);
  }
}

static void multiply_linear(int operand_count, const genie_host_tensor_t *operands, const double *x,
                            const double *weight, const genie_host_tensor_t *result, double *out) {
  const int64_t n = operands[1].dims[0];
  const int64_t k = operands[1].dims[1];
  const product_t product = {
      .m = n == 0 ? 0 : genie_host_tensor_count(result) / n, .n = n, .k = k, .rhs_k = 1, .rhs_n = k};
  for (int64_t i = 0; operand_count > 2 && i < product.m * n; ++i) {
    out[i] = read_double(&operands[2], i % n);
  }
  multiply(&product, x, weight, out);
}

static genie_status_t evaluate_product(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                       genie_host_tensor_t *result) {
  double *lhs = read_doubles(&operands[0]);
  double *rhs = read_doubles(&operands[1]);
  double *out = calloc((size_t)genie_host_tensor_count(result) + 1, sizeof(double));
  const bool has_memory = lhs != NULL && rhs != NULL && out != NULL;
  if (has_memory) {
    if (genie_op_is(op, "genie.matmul")) {
      multiply_matmul(operands, lhs, rhs, result, out);
    } else {
      multiply_linear(operand_count, operands, lhs, rhs, result, out);
    }
    write_doubles(out, result);
  }
  free(lhs);
  free(rhs);
  free(out);
  return has_memory ? GENIE_OK : no_memory();
}

//===-- Look-ups --------------------------------------------------------------------------------------------------===//

// Copies rows of `row` elements: x seen as [outer, size, row], result as [outer, count, row], picked by `index`.
static genie_status_t pick(const genie_host_tensor_t *x, int64_t outer, int64_t size, int64_t row,
                           const genie_host_tensor_t *index, genie_host_tensor_t *result) {
  const int64_t count = genie_host_tensor_count(index);
  const size_t bytes = (size_t)row * genie_dtype_bytes(x->dtype);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = read_index(index, i);
    at += at < 0 ? size : 0;
    if (at < 0 || at >= size) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "index %lld is outside %lld elements",
                               (long long)read_index(index, i), (long long)size);
    }
    for (int64_t j = 0; j < outer; ++j) {
      memcpy((char *)element(result, (j * count + i) * row), element(x, (j * size + at) * row), bytes);
    }
  }
  return GENIE_OK;
}

static int64_t product_of(const int64_t *dims, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) {
    product *= dims[i];
  }
  return product;
}

static genie_status_t pick_axis(const genie_host_tensor_t *x, int axis, const genie_host_tensor_t *index,
                                genie_host_tensor_t *result) {
  return pick(x, product_of(x->dims, 0, axis), x->dims[axis], product_of(x->dims, axis + 1, x->rank), index, result);
}

static genie_status_t evaluate_take(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count;
  return pick_axis(&operands[0], (int)genie_ir_i64(op, "axis"), &operands[1], result);
}

static genie_status_t evaluate_embedding(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                         genie_host_tensor_t *result) {
  (void)op, (void)operand_count;
  return pick_axis(&operands[0], 0, &operands[1], result);
}

static genie_status_t evaluate_index(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                     genie_host_tensor_t *result) {
  (void)operand_count;
  int64_t axes[GENIE_IR_MAX_RANK];
  genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  return pick_axis(&operands[0], (int)axes[0], &operands[1], result);
}

// result[i.., j, k..] = x[i.., index[i.., j, k..], k..], where x may be larger than the index beside `axis`.
static genie_status_t evaluate_gather(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                      genie_host_tensor_t *result) {
  (void)operand_count;
  const genie_host_tensor_t *x = &operands[0];
  const genie_host_tensor_t *index = &operands[1];
  const int axis = (int)genie_ir_i64(op, "axis");
  const size_t bytes = genie_dtype_bytes(x->dtype);
  const int64_t count = genie_host_tensor_count(index);
  for (int64_t i = 0; i < count; ++i) {
    int64_t picked = read_index(index, i);
    picked += picked < 0 ? x->dims[axis] : 0;
    if (picked < 0 || picked >= x->dims[axis]) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "index %lld is outside %lld elements",
                               (long long)read_index(index, i), (long long)x->dims[axis]);
    }
    int64_t position = 0;
    int64_t stride = 1;
    int64_t rest = i;
    for (int dim = x->rank - 1; dim >= 0; --dim) {
      position += (dim == axis ? picked : rest % index->dims[dim]) * stride;
      stride *= x->dims[dim];
      rest /= index->dims[dim];
    }
    memcpy((char *)element(result, i), element(x, position), bytes);
  }
  return GENIE_OK;
}

//===-- Table -----------------------------------------------------------------------------------------------------===//

static bool has_one_index(MlirOperation op) {
  return mlirOperationGetNumOperands(op) == 2;
}

// Integer sums beyond 2^53 would lose digits in double.
static bool is_float_or_small(MlirOperation op) {
  return genie_value_type(mlirOperationGetOperand(op, 0)).dtype != GENIE_DTYPE_I64 || !genie_op_is(op, "genie.prod");
}

static const struct {
  const char *name;
  genie_evaluate_fn_t evaluate;
  bool (*accepts)(MlirOperation op);
} rows[] = {
    {"genie.matmul", evaluate_product, NULL}, {"genie.linear", evaluate_product, NULL},
    {"genie.take", evaluate_take, NULL},      {"genie.embedding", evaluate_embedding, NULL},
    {"genie.gather", evaluate_gather, NULL},  {"genie.index", evaluate_index, has_one_index},
};

genie_evaluate_fn_t genie_evaluate_find_compute(MlirOperation op) {
  if (find_reduction(op) != NULL) {
    return is_float_or_small(op) ? evaluate_reduce : NULL;
  }
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    if (genie_op_is(op, rows[i].name)) {
      return rows[i].accepts == NULL || rows[i].accepts(op) ? rows[i].evaluate : NULL;
    }
  }
  return NULL;
}
