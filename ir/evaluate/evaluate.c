// Dispatch of one op, and the lazy evaluation of a value's graph.
#include "ir/evaluate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/evaluate/evaluate_op.h"
#include "runtime/base/checked_math.h"

int64_t genie_host_tensor_count(const genie_host_tensor_t *tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor->rank; ++i) {
    count *= tensor->dims[i];
  }
  return count;
}

size_t genie_host_tensor_bytes(const genie_host_tensor_t *tensor) {
  return (size_t)genie_host_tensor_count(tensor) * genie_dtype_bytes(tensor->dtype);
}

void genie_host_tensor_deinit(genie_allocator_t allocator, genie_host_tensor_t *tensor) {
  genie_allocator_free(allocator, tensor->owned);
  tensor->data = tensor->owned = NULL;
}

static genie_evaluate_fn_t find_family(MlirOperation op) {
  genie_evaluate_fn_t evaluate = genie_evaluate_find_movement(op);
  evaluate = evaluate != NULL ? evaluate : genie_evaluate_find_pointwise(op);
  return evaluate != NULL ? evaluate : genie_evaluate_find_compute(op);
}

bool genie_evaluate_supports(MlirOperation op) {
  if (genie_op_info_get(op) == NULL || mlirOperationGetNumResults(op) != 1 ||
      !genie_type_is_static(mlirValueGetType(mlirOperationGetResult(op, 0)))) {
    return false;
  }
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    if (!genie_type_is_static(mlirValueGetType(mlirOperationGetOperand(op, i)))) {
      return false;
    }
  }
  return find_family(op) != NULL;
}

// A tensor of the value's type, not yet allocated.
static genie_host_tensor_t describe(MlirValue value) {
  const genie_tensor_type_t type = genie_value_type(value);
  genie_host_tensor_t tensor = {.dtype = type.dtype, .rank = type.rank};
  for (int i = 0; i < type.rank; ++i) {
    tensor.dims[i] = genie_dim_value(type.dims[i]);
  }
  return tensor;
}

static genie_status_t allocate(genie_allocator_t allocator, genie_host_tensor_t *tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor->rank; ++i) {
    if (!genie_checked_mul_i64(count, tensor->dims[i], &count)) {
      return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "a constant has more than 2^63 elements");
    }
  }
  const size_t bytes = genie_dtype_bytes(tensor->dtype);
  tensor->owned = tensor->data =
      (uint64_t)count > SIZE_MAX / bytes ? NULL : allocator.allocate(allocator.self, (size_t)count * bytes + 1, 64);
  return tensor->data != NULL ? GENIE_OK
                              : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                                                  "no memory for a constant of %lld elements", (long long)count);
}

static genie_status_t annotate(MlirOperation op, genie_status_t status) {
  char place[256];
  const MlirStringRef name = mlirIdentifierStr(mlirOperationGetName(op));
  genie_ir_describe_location(mlirOperationGetLocation(op), sizeof(place), place);
  return genie_status_annotate(status, "%s%s%.*s", place, place[0] == '\0' ? "" : ": ", (int)name.length, name.data);
}

genie_status_t genie_evaluate_op(genie_allocator_t allocator, MlirOperation op, const genie_host_tensor_t *operands,
                                 genie_host_tensor_t *out_results) {
  const genie_evaluate_fn_t evaluate = genie_evaluate_supports(op) ? find_family(op) : NULL;
  if (evaluate == NULL) {
    return annotate(op, genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                                          "cannot be evaluated when the plan is made; only its result is constant"));
  }
  out_results[0] = describe(mlirOperationGetResult(op, 0));
  if (genie_op_is(op, "genie.reshape")) {
    out_results[0].data = operands[0].data;
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(annotate(op, allocate(allocator, &out_results[0])));
  const genie_status_t status = evaluate(op, (int)mlirOperationGetNumOperands(op), operands, &out_results[0]);
  if (status != GENIE_OK) {
    genie_host_tensor_deinit(allocator, &out_results[0]);
  }
  return annotate(op, status);
}

//===-- Lazy evaluation -------------------------------------------------------------------------------------------===//

enum { MAX_DEPTH = 512, MAX_OPERANDS = 64, MAX_SHARED = 64 };

// Values with several uses are kept until the whole evaluation ends, so that a graph costs no more than its ops.
typedef struct shared_value {
  MlirValue value;
  genie_host_tensor_t tensor;
} shared_value_t;

typedef struct evaluation {
  const genie_evaluator_t *evaluator;
  int shared_count;
  shared_value_t shared[MAX_SHARED];
} evaluation_t;

static genie_status_t evaluate_value(evaluation_t *evaluation, MlirValue value, int depth,
                                     genie_host_tensor_t *out_tensor);

static genie_status_t evaluate_argument(evaluation_t *evaluation, MlirValue value, int depth,
                                        genie_host_tensor_t *out_tensor) {
  const MlirOperation parent = mlirBlockGetParentOperation(mlirBlockArgumentGetOwner(value));
  const intptr_t index = mlirBlockArgumentGetArgNumber(value);
  if (genie_op_is(parent, "genie.kernel")) {
    return evaluate_value(evaluation, mlirOperationGetOperand(parent, index), depth + 1, out_tensor);
  }
  MlirStringRef name;
  if (genie_ir_argument_role(parent, index, &name) != GENIE_IR_ARGUMENT_WEIGHT) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "evaluates an argument that is no weight");
  }
  const genie_host_tensor_t expected = describe(value);
  GENIE_RETURN_IF_ERROR(evaluation->evaluator->load_weight(evaluation->evaluator->self, name, out_tensor));
  assert(out_tensor->dtype == expected.dtype && out_tensor->rank == expected.rank);
  (void)expected;
  return GENIE_OK;
}

// The result takes over what it borrows: a reshape of an owned operand becomes its owner.
static void release_operands(genie_allocator_t allocator, int count, genie_host_tensor_t *operands,
                             genie_host_tensor_t *result) {
  for (int i = 0; i < count; ++i) {
    if (result != NULL && result->owned == NULL && result->data == operands[i].data) {
      result->owned = operands[i].owned;
      operands[i].owned = NULL;
    }
    genie_host_tensor_deinit(allocator, &operands[i]);
  }
}

static genie_status_t evaluate_result(evaluation_t *evaluation, MlirOperation op, int depth,
                                      genie_host_tensor_t *out_tensor) {
  const genie_allocator_t allocator = evaluation->evaluator->allocator;
  genie_host_tensor_t operands[MAX_OPERANDS];
  const int count = (int)mlirOperationGetNumOperands(op);
  if (count > MAX_OPERANDS) {
    return annotate(op,
                    genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "has more than %d constant operands", MAX_OPERANDS));
  }
  for (int i = 0; i < count; ++i) {
    const genie_status_t status = evaluate_value(evaluation, mlirOperationGetOperand(op, i), depth + 1, &operands[i]);
    if (status != GENIE_OK) {
      release_operands(allocator, i, operands, NULL);
      return status;
    }
  }
  const genie_status_t status = genie_evaluate_op(allocator, op, operands, out_tensor);
  release_operands(allocator, count, operands, status == GENIE_OK ? out_tensor : NULL);
  return status;
}

static bool has_several_uses(MlirValue value) {
  const MlirOpOperand first = mlirValueGetFirstUse(value);
  return !mlirOpOperandIsNull(first) && !mlirOpOperandIsNull(mlirOpOperandGetNextUse(first));
}

static bool find_shared(const evaluation_t *evaluation, MlirValue value, genie_host_tensor_t *out_tensor) {
  for (int i = 0; i < evaluation->shared_count; ++i) {
    if (mlirValueEqual(evaluation->shared[i].value, value)) {
      *out_tensor = evaluation->shared[i].tensor;
      out_tensor->owned = NULL;
      return true;
    }
  }
  return false;
}

static genie_status_t evaluate_value(evaluation_t *evaluation, MlirValue value, int depth,
                                     genie_host_tensor_t *out_tensor) {
  if (depth > MAX_DEPTH) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "constants nest more than %d ops deep", MAX_DEPTH);
  }
  if (mlirValueIsABlockArgument(value)) {
    return evaluate_argument(evaluation, value, depth, out_tensor);
  }
  if (find_shared(evaluation, value, out_tensor)) {
    return GENIE_OK;
  }
  const MlirOperation op = mlirOpResultGetOwner(value);
  if (genie_op_is(op, "genie.kernel")) {
    const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
    const MlirOperation yield = mlirBlockGetTerminator(body);
    return evaluate_value(evaluation, mlirOperationGetOperand(yield, mlirOpResultGetResultNumber(value)), depth + 1,
                          out_tensor);
  }
  GENIE_RETURN_IF_ERROR(evaluate_result(evaluation, op, depth, out_tensor));
  if (depth > 0 && evaluation->shared_count < MAX_SHARED && out_tensor->owned != NULL && has_several_uses(value)) {
    evaluation->shared[evaluation->shared_count++] = (shared_value_t){.value = value, .tensor = *out_tensor};
    out_tensor->owned = NULL;
  }
  return GENIE_OK;
}

// A result that borrows what the evaluation is about to release becomes a copy.
static genie_status_t detach(const evaluation_t *evaluation, genie_host_tensor_t *tensor) {
  for (int i = 0; i < evaluation->shared_count && tensor->owned == NULL; ++i) {
    if (evaluation->shared[i].tensor.data == tensor->data) {
      const void *data = tensor->data;
      GENIE_RETURN_IF_ERROR(allocate(evaluation->evaluator->allocator, tensor));
      memcpy(tensor->data, data, genie_host_tensor_bytes(tensor));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_evaluate(const genie_evaluator_t *evaluator, MlirValue value, genie_host_tensor_t *out_tensor) {
  evaluation_t *evaluation = calloc(1, sizeof(*evaluation));
  if (evaluation == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory to evaluate a constant");
  }
  evaluation->evaluator = evaluator;
  genie_status_t status = evaluate_value(evaluation, value, 0, out_tensor);
  if (status == GENIE_OK) {
    status = detach(evaluation, out_tensor);
  }
  for (int i = 0; i < evaluation->shared_count; ++i) {
    genie_host_tensor_deinit(evaluator->allocator, &evaluation->shared[i].tensor);
  }
  free(evaluation);
  return status;
}

MlirAttribute genie_evaluate_to_attribute(MlirContext context, const genie_host_tensor_t *tensor) {
  const MlirType type = genie_type_make_static(context, tensor->dtype, tensor->rank, tensor->dims);
  if (tensor->dtype != GENIE_DTYPE_BOOL) {
    return mlirDenseElementsAttrRawBufferGet(type, genie_host_tensor_bytes(tensor), tensor->data);
  }
  const int64_t count = genie_host_tensor_count(tensor);
  int *values = calloc((size_t)count + 1, sizeof(int));
  assert(values != NULL);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = ((const uint8_t *)tensor->data)[i] != 0;
  }
  const MlirAttribute attribute = mlirDenseElementsAttrBoolGet(type, count, values);
  free(values);
  return attribute;
}
