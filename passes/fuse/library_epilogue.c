#include "passes/fuse/library_epilogue.h"

#include <string.h>

#include "ir/device_kind.h"

enum { MOST_STREAMED_ROWS = 8, LEAST_WORK = 1 << 20, LEAST_DEPTH = 32 };  // as in codegen/kernel/lower_gemm.c

static double most(MlirOperation op, MlirAffineExpr dim) {
  MlirOperation function = op;
  while (!mlirOperationIsNull(function) && !genie_op_is(function, "func.func")) {
    function = mlirOperationGetParentOperation(function);
  }
  int64_t minimum = 0, maximum = 0;
  genie_dim_bounds(function, dim, &minimum, &maximum);
  return (double)maximum;
}

static bool is_large_product(MlirOperation op) {
  const genie_tensor_type_t a = genie_value_type(mlirOperationGetOperand(op, 0));
  const genie_tensor_type_t b = genie_value_type(mlirOperationGetOperand(op, 1));
  const genie_tensor_type_t result = genie_value_type(mlirOperationGetResult(op, 0));
  const bool is_linear = genie_op_is(op, "genie.linear");
  double rows = 1, work = 1;
  for (int d = 0; d < result.rank; ++d) {
    const bool is_row = is_linear ? d + 1 < result.rank : d + 2 == result.rank;
    rows *= is_row ? most(op, result.dims[d]) : 1;
    work *= most(op, result.dims[d]);
  }
  const double depth = most(op, a.dims[a.rank - 1]);
  work *= depth;
  return depth >= LEAST_DEPTH && a.dtype == b.dtype && rows > MOST_STREAMED_ROWS && work >= LEAST_WORK;
}

static bool is_library_conv(MlirOperation op) {
  const genie_tensor_type_t x = genie_value_type(mlirOperationGetOperand(op, 0));
  int64_t channels = 0;
  return genie_op_is(op, "genie.conv") && x.rank == 4 && genie_ir_i64(op, "groups") == 1 &&
         x.dtype != GENIE_DTYPE_F64 && genie_dim_is_constant(x.dims[1], &channels) && channels % 8 == 0;
}

static bool is_library_anchor(MlirOperation op) {
  const bool is_product = genie_op_is(op, "genie.linear") || genie_op_is(op, "genie.matmul");
  return genie_op_may_call_libraries(op) && (is_product ? is_large_product(op) : is_library_conv(op));
}

static bool is_activation(MlirOperation op) {
  if (genie_op_is(op, "genie.gelu")) {
    const MlirStringRef approximate = genie_ir_string(op, "approximate");
    return approximate.length == 4 && memcmp(approximate.data, "tanh", 4) == 0;
  }
  return genie_op_is(op, "genie.relu");
}

// Whether one operand of an addition is a vector that is added to every row, or pixel.
static bool adds_vector(MlirOperation op) {
  const int rank = genie_value_type(mlirOperationGetResult(op, 0)).rank;
  for (int i = 0; i < 2; ++i) {
    const genie_tensor_type_t type = genie_value_type(mlirOperationGetOperand(op, i));
    int sizes = 0;
    for (int d = 0; d < type.rank; ++d) {
      int64_t size = 0;
      sizes += !(genie_dim_is_constant(type.dims[d], &size) && size == 1);
    }
    if (sizes <= 1 && type.rank < rank + (rank == 4)) {
      return true;
    }
  }
  return false;
}

static bool is_whole_addition(MlirOperation op) {
  const MlirValue result = mlirOperationGetResult(op, 0);
  return genie_op_is(op, "genie.add") && genie_rewrite_same_dims(mlirOperationGetOperand(op, 0), result) &&
         genie_rewrite_same_dims(mlirOperationGetOperand(op, 1), result) &&
         genie_value_type(mlirOperationGetOperand(op, 0)).dtype ==
             genie_value_type(mlirOperationGetOperand(op, 1)).dtype;
}

bool genie_fuse_library_admits(const genie_fuse_graph_t *graph, int group, int node) {
  const int anchor = graph->groups[group].anchor;
  if (!is_library_anchor(graph->nodes[anchor].op)) {
    return true;
  }
  bool has_vector = mlirOperationGetNumOperands(graph->nodes[anchor].op) > 2, has_whole = false;
  for (int i = graph->nodes[anchor].next_member; i >= 0; i = graph->nodes[i].next_member) {
    if (is_activation(graph->nodes[i].op)) {
      return false;  // the last
    }
    has_vector = has_vector || (genie_op_is(graph->nodes[i].op, "genie.add") && adds_vector(graph->nodes[i].op));
    has_whole = has_whole || is_whole_addition(graph->nodes[i].op);
  }
  const MlirOperation op = graph->nodes[node].op;
  if (is_activation(op)) {
    return true;
  }
  return genie_op_is(op, "genie.add") && (is_whole_addition(op) ? !has_whole : adds_vector(op) && !has_vector);
}
