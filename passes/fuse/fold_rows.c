// fold-rows: on a GPU, the kernel that makes the few rows of a product, or the query of an attention, and is read by it
// alone becomes part of it: a normalisation (of a product's rows), or pointwise ops. Every thread block computes the
// rows again, which costs less than a kernel between, but for a large product only where it is an rms_norm.
#include <string.h>

#include "ir/device_kind.h"
#include "passes/graph/rewrite.h"

enum {
  MOST_ROWS = 8,
  MOST_BYTES = 160 << 10,
  MOST_OPS = 16,
  MOST_KEYS = 4096,
  MOST_WEIGHTS = 1 << 20,  // of a product that takes in more than an rms_norm
  MOST_COLUMNS = 16384,    // of a row whose rms_norm any product takes in
  MOST_OPERANDS = 32
};  // as in codegen/kernel/lower_gemm.c: staged rows

static MlirBlock body_of(MlirOperation kernel) {
  return mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
}

static bool is_family(MlirOperation kernel, const char *family) {
  return mlirStringRefEqual(genie_ir_string(kernel, "family"), mlirStringRefCreateFromCString(family));
}

static bool is_norm(MlirOperation op) {
  return genie_op_is(op, "genie.rms_norm") || genie_op_is(op, "genie.layer_norm");
}

// The linear of a product of few rows with a weight in memory; null where the kernel is none.
static MlirOperation find_linear(MlirOperation function, MlirOperation kernel) {
  for (MlirOperation op = mlirBlockGetFirstOperation(body_of(kernel)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (is_norm(op)) {
      return (MlirOperation){NULL};  // it has one already
    }
    if (!genie_op_is(op, "genie.linear") || !mlirValueIsABlockArgument(mlirOperationGetOperand(op, 1))) {
      continue;
    }
    const genie_tensor_type_t x = genie_value_type(mlirOperationGetOperand(op, 0));
    double rows = 1;
    int64_t columns = 0;
    for (int d = 0; d + 1 < x.rank; ++d) {
      int64_t minimum, maximum;
      genie_dim_bounds(function, x.dims[d], &minimum, &maximum);
      rows *= (double)maximum;
    }
    int64_t results = 0;
    const genie_tensor_type_t weight = genie_value_type(mlirOperationGetOperand(op, 1));
    const bool is_fit = x.rank > 0 && genie_dim_is_constant(x.dims[x.rank - 1], &columns) &&
                        genie_dim_is_constant(weight.dims[0], &results) && columns <= MOST_COLUMNS &&
                        rows <= MOST_ROWS && rows * (double)columns * 4 <= MOST_BYTES && x.dtype != GENIE_DTYPE_F64;
    return is_fit ? op : (MlirOperation){NULL};
  }
  return (MlirOperation){NULL};
}

// The block argument that the linear's rows are, through reshapes; -1 where something else makes them.
static int rows_argument(MlirOperation linear) {
  MlirValue value = mlirOperationGetOperand(linear, 0);
  while (!mlirOperationIsNull(genie_rewrite_definer_if(value, "genie.reshape"))) {
    value = mlirOperationGetOperand(genie_rewrite_definer(value), 0);
  }
  return mlirValueIsABlockArgument(value) && genie_rewrite_has_one_use(value)
             ? (int)mlirBlockArgumentGetArgNumber(value)
             : -1;
}

// Whether every op of the producer can be evaluated at an index but a normalisation at its end, over the last
// dimension.
static bool is_foldable(MlirOperation producer) {
  const MlirBlock body = body_of(producer);
  const MlirOperation yield = mlirBlockGetTerminator(body);
  int count = 0;
  for (MlirOperation op = mlirBlockGetFirstOperation(body); !mlirOperationEqual(op, yield);
       op = mlirOperationGetNextInBlock(op), ++count) {
    const bool is_last = is_norm(op) && genie_ir_i64(op, "normalized_rank") == 1 &&
                         mlirValueEqual(genie_rewrite_result(op), mlirOperationGetOperand(yield, 0));
    const bool is_indexed =
        genie_op_has_rule(op, "pointwise") || genie_op_has_rule(op, "view") || genie_op_has_rule(op, "constant");
    if (!is_last && !is_indexed) {
      return false;
    }
  }
  return count <= MOST_OPS;
}

// Whether the kernel is nothing but an rms_norm in groups of 16 bytes.
static bool is_rms_norm(MlirOperation kernel) {
  const MlirOperation op = mlirBlockGetFirstOperation(body_of(kernel));
  int64_t columns = 0;
  if (!genie_op_is(op, "genie.rms_norm") ||
      !mlirOperationEqual(mlirOperationGetNextInBlock(op), mlirBlockGetTerminator(body_of(kernel)))) {
    return false;
  }
  const genie_tensor_type_t type = genie_value_type(genie_rewrite_result(op));
  return genie_dim_is_constant(type.dims[type.rank - 1], &columns) && columns % 8 == 0;
}

static bool is_small_product(MlirOperation reader) {
  int64_t results = 0, columns = 0;
  const genie_tensor_type_t weight = genie_value_type(mlirOperationGetOperand(reader, 1));
  return genie_dim_is_constant(weight.dims[0], &results) && genie_dim_is_constant(weight.dims[1], &columns) &&
         results * columns <= MOST_WEIGHTS;
}

static MlirOperation producer_of(MlirOperation kernel, MlirOperation reader, int argument) {
  const MlirValue operand = mlirOperationGetOperand(kernel, argument);
  const MlirOperation producer = genie_rewrite_definer_if(operand, "genie.kernel");
  const bool is_usable =
      !mlirOperationIsNull(producer) && genie_rewrite_has_one_use(operand) &&
      mlirOperationGetNumResults(producer) == 1 && genie_op_is_on(producer, "cuda") &&
      ((is_family(producer, "row") && is_family(kernel, "gemm")) || is_family(producer, "pointwise")) &&
      is_foldable(producer) &&
      (!genie_op_is(reader, "genie.linear") || is_small_product(reader) || is_rms_norm(producer));
  return is_usable ? producer : (MlirOperation){NULL};
}

// The value inside `kernel` that stands for `value` inside `producer`: a new argument, or a clone's result.
static MlirValue import_value(MlirOperation producer, MlirValue value, intptr_t first_argument, MlirBlock body) {
  if (mlirValueIsABlockArgument(value)) {
    return mlirBlockGetArgument(body, first_argument + mlirBlockArgumentGetArgNumber(value));
  }
  // Clones stand at the start of the body, in the order of their originals.
  MlirOperation original = mlirBlockGetFirstOperation(body_of(producer));
  MlirOperation clone = mlirBlockGetFirstOperation(body);
  while (!mlirOperationEqual(original, mlirOpResultGetOwner(value))) {
    original = mlirOperationGetNextInBlock(original);
    clone = mlirOperationGetNextInBlock(clone);
  }
  return mlirOperationGetResult(clone, mlirOpResultGetResultNumber(value));
}

static void fold(MlirOperation kernel, int argument, MlirOperation producer) {
  const MlirBlock body = body_of(kernel), source = body_of(producer);
  const intptr_t first_argument = mlirBlockGetNumArguments(body), added = mlirOperationGetNumOperands(producer);
  const MlirOperation first = mlirBlockGetFirstOperation(body), yield = mlirBlockGetTerminator(source);
  MlirValue operands[MOST_OPERANDS];
  intptr_t count = 0;
  for (intptr_t i = 0; i < first_argument; ++i) {
    operands[count++] = mlirOperationGetOperand(kernel, i);
  }
  for (intptr_t i = 0; i < added; ++i) {
    const MlirValue operand = mlirOperationGetOperand(producer, i);
    mlirBlockAddArgument(body, mlirValueGetType(operand), mlirOperationGetLocation(producer));
    operands[count++] = operand;
  }
  for (MlirOperation op = mlirBlockGetFirstOperation(source); !mlirOperationEqual(op, yield);
       op = mlirOperationGetNextInBlock(op)) {
    const MlirOperation clone = mlirOperationClone(op);
    for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
      mlirOperationSetOperand(clone, i, import_value(producer, mlirOperationGetOperand(op, i), first_argument, body));
    }
    mlirBlockInsertOwnedOperationBefore(body, first, clone);
  }
  const MlirValue made = import_value(producer, mlirOperationGetOperand(yield, 0), first_argument, body);
  mlirValueReplaceAllUsesOfWith(mlirBlockGetArgument(body, argument), made);
  mlirBlockEraseArgument(body, (unsigned)argument);
  memmove(operands + argument, operands + argument + 1, (size_t)(count - 1 - argument) * sizeof(*operands));
  mlirOperationSetOperands(kernel, count - 1, operands);
}

// The attention of a few queries over keys whose scores a thread block keeps; null where the kernel is none.
static MlirOperation find_decode(MlirOperation function, MlirOperation kernel) {
  for (MlirOperation op = mlirBlockGetFirstOperation(body_of(kernel)); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    const genie_tensor_type_t q = genie_op_is(op, "genie.attention") ? genie_value_type(mlirOperationGetOperand(op, 0))
                                                                     : (genie_tensor_type_t){.rank = 0};
    if (q.rank < 2) {
      continue;
    }
    const genie_tensor_type_t key = genie_value_type(mlirOperationGetOperand(op, 1));
    int64_t minimum, queries, keys;
    genie_dim_bounds(function, q.dims[q.rank - 2], &minimum, &queries);
    genie_dim_bounds(function, key.dims[key.rank - 2], &minimum, &keys);
    return queries == 1 && keys <= MOST_KEYS && q.dtype != GENIE_DTYPE_F64 ? op : (MlirOperation){NULL};
  }
  return (MlirOperation){NULL};
}

// The operation whose first operand is made of few rows.
static MlirOperation find_reader(MlirOperation function, MlirOperation kernel) {
  if (!genie_op_is_on(kernel, "cuda")) {
    return (MlirOperation){NULL};
  }
  return is_family(kernel, "gemm")        ? find_linear(function, kernel)
         : is_family(kernel, "attention") ? find_decode(function, kernel)
                                          : (MlirOperation){NULL};
}

static void fold_kernel(MlirOperation function, MlirOperation kernel) {
  const MlirOperation reader = find_reader(function, kernel);
  const int argument = mlirOperationIsNull(reader) ? -1 : rows_argument(reader);
  const MlirOperation producer = argument < 0 ? (MlirOperation){NULL} : producer_of(kernel, reader, argument);
  if (mlirOperationIsNull(producer) ||
      mlirOperationGetNumOperands(kernel) + mlirOperationGetNumOperands(producer) > MOST_OPERANDS) {
    return;
  }
  fold(kernel, argument, producer);
}

static genie_status_t fold_function(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  const MlirBlock block = genie_rewrite_body(function);
  for (MlirOperation op = mlirBlockGetFirstOperation(block); !mlirOperationIsNull(op);
       op = mlirOperationGetNextInBlock(op)) {
    if (genie_op_is(op, "genie.kernel")) {
      fold_kernel(function, op);
    }
  }
  return genie_rewrite_erase_dead(block);
}

genie_status_t genie_pass_fold_rows(const genie_pass_context_t *context, MlirModule module) {
  return context->opt_level == 0 ? GENIE_OK : genie_rewrite_each_function(context, module, fold_function);
}
