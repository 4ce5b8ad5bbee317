// Cost rules: operations and bytes of one execution at the upper bound of all symbols.
#include <string.h>

#include "ir/op_rules.h"

// Elements of a type at the upper bound.
static double element_count(MlirOperation op, const genie_tensor_type_t *tensor) {
  double count = 1;
  for (int i = 0; i < tensor->rank; ++i) {
    int64_t minimum = 0;
    int64_t maximum = 0;
    genie_dim_bounds(op, tensor->dims[i], &minimum, &maximum);
    count *= (double)maximum;
  }
  return count;
}

static double upper_bound(MlirOperation op, MlirAffineExpr dim) {
  int64_t minimum = 0;
  int64_t maximum = 0;
  genie_dim_bounds(op, dim, &minimum, &maximum);
  return (double)maximum;
}

static double value_elements(MlirOperation op, MlirValue value) {
  const genie_tensor_type_t tensor = genie_value_type(value);
  return element_count(op, &tensor);
}

double genie_value_maximum_bytes(MlirOperation op, MlirValue value) {
  return value_elements(op, value) * (double)genie_dtype_bytes(genie_value_type(value).dtype);
}

static void add_operand_and_result_bytes(MlirOperation op, genie_op_cost_t *cost) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    cost->read_bytes += genie_value_maximum_bytes(op, mlirOperationGetOperand(op, i));
  }
  for (intptr_t i = 0; i < mlirOperationGetNumResults(op); ++i) {
    cost->written_bytes += genie_value_maximum_bytes(op, mlirOperationGetResult(op, i));
  }
}

static double result_elements(MlirOperation op) {
  return value_elements(op, mlirOperationGetResult(op, 0));
}

void genie_cost_none(MlirOperation op, genie_op_cost_t *out_cost) {
  (void)op, (void)out_cost;
}

// A view moves nothing by itself; the kernel that reads through it counts.
void genie_cost_view(MlirOperation op, genie_op_cost_t *out_cost) {
  (void)op, (void)out_cost;
}

void genie_cost_transfer(MlirOperation op, genie_op_cost_t *out_cost) {
  add_operand_and_result_bytes(op, out_cost);
}

void genie_cost_elementwise(MlirOperation op, genie_op_cost_t *out_cost) {
  out_cost->flops = result_elements(op);
  add_operand_and_result_bytes(op, out_cost);
}

void genie_cost_reduce(MlirOperation op, genie_op_cost_t *out_cost) {
  out_cost->flops = value_elements(op, mlirOperationGetOperand(op, 0));
  add_operand_and_result_bytes(op, out_cost);
}

// Softmax and normalisations take some five operations an element.
void genie_cost_row(MlirOperation op, genie_op_cost_t *out_cost) {
  out_cost->flops = 5 * value_elements(op, mlirOperationGetOperand(op, 0));
  add_operand_and_result_bytes(op, out_cost);
}

// n log2(n) comparisons a row; 20 stands for log2 of a million.
void genie_cost_sort(MlirOperation op, genie_op_cost_t *out_cost) {
  out_cost->flops = 20 * value_elements(op, mlirOperationGetOperand(op, 0));
  add_operand_and_result_bytes(op, out_cost);
}

// Reads what it picks, not the whole table, and the indices.
void genie_cost_gather(MlirOperation op, genie_op_cost_t *out_cost) {
  const double picked = genie_value_maximum_bytes(op, mlirOperationGetResult(op, 0));
  out_cost->read_bytes = picked;
  for (intptr_t i = 1; i < mlirOperationGetNumOperands(op); ++i) {
    out_cost->read_bytes += genie_value_maximum_bytes(op, mlirOperationGetOperand(op, i));
  }
  out_cost->written_bytes = picked;
}

void genie_cost_scatter(MlirOperation op, genie_op_cost_t *out_cost) {
  add_operand_and_result_bytes(op, out_cost);
}

// Two operations for each result element and each term of its sum.
void genie_cost_gemm(MlirOperation op, genie_op_cost_t *out_cost) {
  const genie_tensor_type_t lhs = genie_value_type(mlirOperationGetOperand(op, 0));
  out_cost->flops = 2 * result_elements(op) * upper_bound(op, lhs.dims[lhs.rank - 1]);
  add_operand_and_result_bytes(op, out_cost);
}

void genie_cost_conv(MlirOperation op, genie_op_cost_t *out_cost) {
  const genie_tensor_type_t x = genie_value_type(genie_ir_operand(op, "x"));
  const genie_tensor_type_t weight = genie_value_type(genie_ir_operand(op, "weight"));
  // Every element of the output (of the input, when transposed) meets one filter: weight[i, ..] without its first
  // dimension.
  const bool is_transposed = genie_op_is(op, "genie.conv_transpose");
  const double positions = is_transposed ? element_count(op, &x) : result_elements(op);
  out_cost->flops = 2 * positions * element_count(op, &weight) / upper_bound(op, weight.dims[0]);
  add_operand_and_result_bytes(op, out_cost);
}

void genie_cost_attention(MlirOperation op, genie_op_cost_t *out_cost) {
  const genie_tensor_type_t query = genie_value_type(genie_ir_operand(op, "query"));
  const genie_tensor_type_t value = genie_value_type(genie_ir_operand(op, "value"));
  const double embedding = upper_bound(op, query.dims[query.rank - 1]);
  const double rows = element_count(op, &query) / (embedding > 0 ? embedding : 1);
  const double keys = upper_bound(op, value.dims[value.rank - 2]);
  out_cost->flops = rows * keys * (2 * embedding + 2 * upper_bound(op, value.dims[value.rank - 1]) + 5);
  add_operand_and_result_bytes(op, out_cost);
}

// Each window of the result; without the window's size (adaptive pools) each element of x once.
void genie_cost_pool(MlirOperation op, genie_op_cost_t *out_cost) {
  if (genie_ir_has(op, "kernel")) {
    int64_t kernel[GENIE_IR_MAX_RANK];
    const int count = genie_ir_i64_array(op, "kernel", GENIE_IR_MAX_RANK, kernel);
    out_cost->flops = result_elements(op);
    for (int i = 0; i < count; ++i) {
      out_cost->flops *= (double)kernel[i];
    }
  } else {
    out_cost->flops = value_elements(op, mlirOperationGetOperand(op, 0));
  }
  add_operand_and_result_bytes(op, out_cost);
}

// Every weight is used once for each step and batch row.
void genie_cost_recurrent(MlirOperation op, genie_op_cost_t *out_cost) {
  const genie_tensor_type_t x = genie_value_type(genie_ir_operand(op, "x"));
  intptr_t first = 0;
  intptr_t count = 0;
  genie_ir_operand_range(op, "weights", &first, &count);
  double weights = 0;
  for (intptr_t i = first; i < first + count; ++i) {
    weights += value_elements(op, mlirOperationGetOperand(op, i));
  }
  out_cost->flops = 2 * upper_bound(op, x.dims[0]) * upper_bound(op, x.dims[1]) * weights;
  add_operand_and_result_bytes(op, out_cost);
}

void genie_cost_kernel(MlirOperation op, genie_op_cost_t *out_cost) {
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(op, 0));
  for (MlirOperation inner = mlirBlockGetFirstOperation(body); !mlirOperationIsNull(inner);
       inner = mlirOperationGetNextInBlock(inner)) {
    out_cost->flops += genie_op_cost(inner).flops;
  }
  add_operand_and_result_bytes(op, out_cost);
}
