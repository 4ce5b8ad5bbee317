// Pointwise ops, a block of elements at a time.
#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "ir/evaluate/evaluate_op.h"

typedef struct parameters {
  double a, b, c;
  int64_t least, greatest;  // clamp of integers
  bool is_tanh, is_bool;
} parameters_t;

// The upper bound wins where it is below the lower one; NaN stays.
#define LOWER(value, high) ((value) > (high) ? (high) : (value))
#define CLAMP(value, low, high) LOWER((value) < (low) ? (low) : (value), high)

static bool is_infinite(double x) {
  return x == INFINITY || x == -INFINITY;
}

// Exact where a is a multiple of b, as PyTorch's div_floor.
static double floor_divide(double a, double b) {
  const double rest = fmod(a, b);
  double quotient = (a - rest) / b;
  if (b == 0) {
    return a / b;
  }
  if (rest != 0 && (b < 0) != (rest < 0)) {
    quotient -= 1;
  }
  const double whole = floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

static double remainder_of(double a, double b) {
  const double rest = fmod(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}

static int64_t integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    return base == 1 ? 1 : base == -1 ? (exponent % 2 != 0 ? -1 : 1) : 0;
  }
  uint64_t power = 1;
  uint64_t factor = (uint64_t)base;
  for (; exponent > 0; exponent >>= 1) {
    power *= (exponent & 1) != 0 ? factor : 1;
    factor *= factor;
  }
  return (int64_t)power;
}

//===-- Functions of blocks ---------------------------------------------------------------------------------------===//

typedef void (*block_fn_t)(const parameters_t *p, int count, const genie_block_t *a, const genie_block_t *b,
                           genie_block_t *out);

#define DEFINE1(name, suffix, type, field, out_field, expression)                                                   \
  static void name##_##suffix(const parameters_t *p, int count, const genie_block_t *lhs, const genie_block_t *rhs, \
                              genie_block_t *out) {                                                                 \
    (void)p, (void)rhs;                                                                                             \
    for (int i = 0; i < count; ++i) {                                                                               \
      const type x = lhs->field[i];                                                                                 \
      out->out_field[i] = (expression);                                                                             \
    }                                                                                                               \
  }
#define DEFINE2(name, suffix, type, field, out_field, expression)                                                   \
  static void name##_##suffix(const parameters_t *p, int count, const genie_block_t *lhs, const genie_block_t *rhs, \
                              genie_block_t *out) {                                                                 \
    (void)p;                                                                                                        \
    for (int i = 0; i < count; ++i) {                                                                               \
      const type a = lhs->field[i];                                                                                 \
      const type b = rhs->field[i];                                                                                 \
      out->out_field[i] = (expression);                                                                             \
    }                                                                                                               \
  }

#define FLOAT1(name, ...)                                   \
  DEFINE1(name, f32, float, f32, f32, (float)(__VA_ARGS__)) \
  DEFINE1(name, f64, double, f64, f64, __VA_ARGS__)
#define FLOAT2(name, ...)                                   \
  DEFINE2(name, f32, float, f32, f32, (float)(__VA_ARGS__)) \
  DEFINE2(name, f64, double, f64, f64, __VA_ARGS__)
#define INT1(name, ...) DEFINE1(name, i64, int64_t, i64, i64, __VA_ARGS__)
#define INT2(name, ...) DEFINE2(name, i64, int64_t, i64, i64, __VA_ARGS__)
#define TEST1(name, ...)                            \
  DEFINE1(name, f32, float, f32, i64, __VA_ARGS__)  \
  DEFINE1(name, f64, double, f64, i64, __VA_ARGS__) \
  DEFINE1(name, i64, int64_t, i64, i64, __VA_ARGS__)
#define TEST2(name, ...)                            \
  DEFINE2(name, f32, float, f32, i64, __VA_ARGS__)  \
  DEFINE2(name, f64, double, f64, i64, __VA_ARGS__) \
  DEFINE2(name, i64, int64_t, i64, i64, __VA_ARGS__)
#include "ir/evaluate/pointwise.def"
#undef FLOAT1
#undef FLOAT2
#undef INT1
#undef INT2
#undef TEST1
#undef TEST2

typedef struct pointwise_row {
  const char *name;
  bool is_test;
  block_fn_t functions[3];  // by genie_block_class_t; NULL where there is none
} pointwise_row_t;

static const pointwise_row_t rows[] = {
#define FLOAT1(op, ...) {"genie." #op, false, {op##_f32, op##_f64, NULL}},
#define FLOAT2(op, ...) FLOAT1(op)
#define INT1(op, ...) {"genie." #op, false, {NULL, NULL, op##_i64}},
#define INT2(op, ...) INT1(op)
#define TEST1(op, ...) {"genie." #op, true, {op##_f32, op##_f64, op##_i64}},
#define TEST2(op, ...) TEST1(op)
#include "ir/evaluate/pointwise.def"
};

static const pointwise_row_t *find_row(MlirOperation op, genie_block_class_t class) {
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    if (rows[i].functions[class] != NULL && genie_op_is(op, rows[i].name)) {
      return &rows[i];
    }
  }
  return NULL;
}

static parameters_t read_parameters(MlirOperation op) {
  parameters_t p = {.is_bool = genie_value_type(mlirOperationGetOperand(op, 0)).dtype == GENIE_DTYPE_BOOL};
  if (genie_op_is(op, "genie.gelu")) {
    const MlirStringRef mode = genie_ir_string(op, "approximate");
    p.is_tanh = mode.length == 4 && memcmp(mode.data, "tanh", 4) == 0;
  } else if (genie_op_is(op, "genie.softplus")) {
    p.a = genie_ir_f64(op, "beta");
    p.b = genie_ir_f64(op, "threshold");
  } else if (genie_op_is(op, "genie.elu")) {
    p.a = genie_ir_f64(op, "alpha");
    p.b = genie_ir_f64(op, "scale");
    p.c = genie_ir_f64(op, "input_scale");
  } else if (genie_op_is(op, "genie.leaky_relu")) {
    p.a = genie_ir_f64(op, "negative_slope");
  } else if (genie_op_is(op, "genie.clamp")) {
    p.a = genie_ir_has(op, "minimum") ? genie_ir_f64(op, "minimum") : -INFINITY;
    p.b = genie_ir_has(op, "maximum") ? genie_ir_f64(op, "maximum") : INFINITY;
    p.least = p.a > -0x1p63 ? (int64_t)p.a : INT64_MIN;
    p.greatest = p.b < 0x1p63 ? (int64_t)p.b : INT64_MAX;
  }
  return p;
}

//===-- Iteration under broadcasting ------------------------------------------------------------------------------===//

enum { MAX_INPUTS = 3 };

// Walks the result in rows of its last dimension; every input's element moves by its stride, 0 where it broadcasts.
typedef struct walk {
  int input_count, rank;
  int64_t dims[GENIE_IR_MAX_RANK];
  int64_t strides[MAX_INPUTS][GENIE_IR_MAX_RANK];
} walk_t;

static bool can_merge(const walk_t *walk, int outer, int inner) {
  bool merges = true;
  for (int i = 0; i < walk->input_count; ++i) {
    merges = merges && walk->strides[i][outer] == walk->strides[i][inner] * walk->dims[inner];
  }
  return merges;
}

// Drops dimensions of size 1 and merges those that all inputs walk as one.
static void merge_dims(walk_t *walk) {
  int kept = 0;
  for (int i = 0; i < walk->rank; ++i) {
    if (walk->dims[i] == 1) {
      continue;
    }
    const bool merges = kept > 0 && can_merge(walk, kept - 1, i);
    const int at = merges ? kept - 1 : kept;
    walk->dims[at] = merges ? walk->dims[at] * walk->dims[i] : walk->dims[i];
    for (int j = 0; j < walk->input_count; ++j) {
      walk->strides[j][at] = walk->strides[j][i];
    }
    kept = at + 1;
  }
  if (kept == 0) {
    walk->dims[kept++] = 1;
    for (int j = 0; j < walk->input_count; ++j) {
      walk->strides[j][0] = 0;
    }
  }
  walk->rank = kept;
}

static walk_t walk_over(const genie_host_tensor_t *result, int count, const genie_host_tensor_t *inputs) {
  walk_t walk = {.input_count = count, .rank = result->rank};
  memcpy(walk.dims, result->dims, sizeof(walk.dims));
  for (int i = 0; i < count; ++i) {
    int64_t strides[GENIE_IR_MAX_RANK];
    genie_host_tensor_strides(&inputs[i], strides);
    const int shift = result->rank - inputs[i].rank;
    for (int j = 0; j < inputs[i].rank; ++j) {
      walk.strides[i][j + shift] = inputs[i].dims[j] == 1 ? 0 : strides[j];
    }
  }
  merge_dims(&walk);
  return walk;
}

// The next row: adds the strides of the innermost outer dimension that does not wrap.
static bool advance(const walk_t *walk, int64_t *index, int64_t *offsets) {
  for (int dim = walk->rank - 2; dim >= 0; --dim) {
    if (++index[dim] < walk->dims[dim]) {
      for (int i = 0; i < walk->input_count; ++i) {
        offsets[i] += walk->strides[i][dim];
      }
      return true;
    }
    for (int i = 0; i < walk->input_count; ++i) {
      offsets[i] -= walk->strides[i][dim] * (walk->dims[dim] - 1);
    }
    index[dim] = 0;
  }
  return false;
}

// Computes `count` result elements from loaded inputs.
typedef void (*combine_fn_t)(const void *self, int count, const genie_block_t *inputs, genie_block_t *out);

static void run(const walk_t *walk, const genie_host_tensor_t *inputs, combine_fn_t combine, const void *self,
                genie_block_class_t out_class, genie_host_tensor_t *result) {
  const size_t out_bytes = genie_dtype_bytes(result->dtype);
  const int64_t row = walk->dims[walk->rank - 1];
  int64_t index[GENIE_IR_MAX_RANK] = {0};
  int64_t offsets[MAX_INPUTS] = {0};
  char *out = result->data;
  genie_block_t blocks[MAX_INPUTS];
  genie_block_t computed;
  if (genie_host_tensor_count(result) == 0) {
    return;
  }
  do {
    for (int64_t at = 0; at < row; at += GENIE_BLOCK_COUNT) {
      const int count = row - at < GENIE_BLOCK_COUNT ? (int)(row - at) : GENIE_BLOCK_COUNT;
      for (int i = 0; i < walk->input_count; ++i) {
        const int64_t stride = walk->strides[i][walk->rank - 1];
        const char *data = inputs[i].data;
        data += (offsets[i] + at * stride) * (int64_t)genie_dtype_bytes(inputs[i].dtype);
        genie_block_load(inputs[i].dtype, data, stride != 0, count, &blocks[i]);
      }
      combine(self, count, blocks, &computed);
      genie_block_store(out_class, &computed, count, result->dtype, out);
      out += (size_t)count * out_bytes;
    }
  } while (advance(walk, index, offsets));
}

//===-- Ops -------------------------------------------------------------------------------------------------------===//

typedef struct apply {
  block_fn_t function;
  parameters_t parameters;
} apply_t;

static void combine_apply(const void *self, int count, const genie_block_t *inputs, genie_block_t *out) {
  const apply_t *apply = self;
  apply->function(&apply->parameters, count, &inputs[0], &inputs[1], out);
}

static genie_status_t evaluate_pointwise(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                         genie_host_tensor_t *result) {
  const genie_block_class_t class = genie_block_class_of(operands[0].dtype);
  const pointwise_row_t *row = find_row(op, class);
  const apply_t apply = {.function = row->functions[class], .parameters = read_parameters(op)};
  const walk_t walk = walk_over(result, operand_count, operands);
  run(&walk, operands, combine_apply, &apply, row->is_test ? GENIE_BLOCK_I64 : class, result);
  return GENIE_OK;
}

static void combine_copy(const void *self, int count, const genie_block_t *inputs, genie_block_t *out) {
  (void)self, (void)count;
  *out = inputs[0];
}

static genie_status_t evaluate_cast(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)op;
  const walk_t walk = walk_over(result, operand_count, operands);
  run(&walk, operands, combine_copy, NULL, genie_block_class_of(operands[0].dtype), result);
  return GENIE_OK;
}

static void combine_where(const void *self, int count, const genie_block_t *inputs, genie_block_t *out) {
  const genie_block_class_t class = *(const genie_block_class_t *)self;
  for (int i = 0; i < count; ++i) {
    const genie_block_t *chosen = inputs[0].i64[i] != 0 ? &inputs[1] : &inputs[2];
    if (class == GENIE_BLOCK_F32) {
      out->f32[i] = chosen->f32[i];
    } else {
      out->i64[i] = chosen->i64[i];
    }
  }
}

static genie_status_t evaluate_where(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                     genie_host_tensor_t *result) {
  (void)op;
  const genie_block_class_t class = genie_block_class_of(result->dtype);
  const walk_t walk = walk_over(result, operand_count, operands);
  run(&walk, operands, combine_where, &class, class, result);
  return GENIE_OK;
}

genie_evaluate_fn_t genie_evaluate_find_pointwise(MlirOperation op) {
  if (genie_op_is(op, "genie.cast")) {
    return evaluate_cast;
  }
  if (genie_op_is(op, "genie.where")) {
    return evaluate_where;
  }
  if (mlirOperationGetNumOperands(op) == 0 || !genie_op_has_rule(op, "pointwise")) {
    return NULL;
  }
  const genie_dtype_t dtype = genie_value_type(mlirOperationGetOperand(op, 0)).dtype;
  return find_row(op, genie_block_class_of(dtype)) != NULL ? evaluate_pointwise : NULL;
}
