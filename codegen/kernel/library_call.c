#include "codegen/kernel/library_call.h"

#include <string.h>

#include "codegen/kernel/hook.h"
#include "runtime/plan/library_call.h"

static bool is_dense_vector(MlirValue value, const genie_tensor_type_t *result, int dim) {
  const genie_tensor_type_t type = genie_value_type(value);
  if (type.rank == 0 || type.dtype != result->dtype || type.rank > result->rank) {
    return false;
  }
  for (int d = 0; d < type.rank; ++d) {
    const int at = d + result->rank - type.rank;
    int64_t size = 0;
    const bool is_one = genie_dim_is_constant(type.dims[d], &size) && size == 1;
    if (at == dim ? !mlirAffineExprEqual(type.dims[d], result->dims[dim]) : !is_one) {
      return false;
    }
  }
  return dim - (result->rank - type.rank) >= 0;
}

// An operand that reaches the region through reshapes only: the memory is the same.
static MlirValue behind_reshapes(MlirValue value) {
  while (mlirValueIsAOpResult(value) && genie_op_is(mlirOpResultGetOwner(value), "genie.reshape")) {
    value = mlirOperationGetOperand(mlirOpResultGetOwner(value), 0);
  }
  return value;
}

int genie_library_argument(const genie_lowering_t *lowering, MlirValue value) {
  const int argument = genie_region_argument(lowering, behind_reshapes(value));
  int64_t storage[GENIE_IR_MAX_RANK];
  return argument >= 0 && genie_region_layout(lowering, argument, storage) == NULL ? argument : -1;
}

static bool is_stored_alike(const genie_lowering_t *lowering, MlirValue residual, const genie_strided_view_t *result) {
  genie_strided_view_t view;
  if (!genie_lower_view(lowering, residual, &view) || genie_region_argument(lowering, view.root) < 0 ||
      view.rank != result->rank || !mlirAffineExprEqual(view.offset, result->offset)) {
    return false;
  }
  for (int d = 0; d < view.rank; ++d) {
    if (!mlirAffineExprEqual(view.dims[d], result->dims[d]) ||
        !mlirAffineExprEqual(view.strides[d], result->strides[d])) {
      return false;
    }
  }
  return true;
}

static int activation_of(MlirOperation op) {
  if (genie_op_is(op, "genie.relu")) {
    return GENIE_LIBRARY_ACTIVATION_RELU;
  }
  const MlirStringRef approximate =
      genie_op_is(op, "genie.gelu") ? genie_ir_string(op, "approximate") : mlirStringRefCreate("", 0);
  return approximate.length == 4 && memcmp(approximate.data, "tanh", 4) == 0 ? GENIE_LIBRARY_ACTIVATION_GELU_TANH
                                                                             : GENIE_LIBRARY_ACTIVATION_NONE;
}

static bool take_addend(const genie_lowering_t *lowering, MlirValue addend, int bias_dim,
                        const genie_tensor_type_t *result, genie_library_epilogue_t *epilogue) {
  if (mlirValueIsNull(epilogue->bias) && is_dense_vector(addend, result, bias_dim) &&
      genie_library_argument(lowering, addend) >= 0) {
    epilogue->bias = addend;
    return true;
  }
  if (mlirValueIsNull(epilogue->residual) && genie_lower_dtype(addend) == result->dtype &&
      is_stored_alike(lowering, addend, &epilogue->result)) {
    epilogue->residual = addend;
    return true;
  }
  return false;
}

bool genie_library_read_epilogue(const genie_lowering_t *lowering, MlirValue anchor_bias, int bias_dim,
                                 genie_library_epilogue_t *out_epilogue) {
  MlirValue anchor = mlirOperationGetResult(lowering->anchor, 0), value;
  const genie_tensor_type_t type = genie_value_type(anchor);
  *out_epilogue = (genie_library_epilogue_t){.bias = anchor_bias};
  if (lowering->state->output_count != 1 ||
      !genie_region_stored_value(lowering, 0, type.rank, type.dims, &value, &out_epilogue->result)) {
    return false;
  }
  if (!mlirValueIsNull(anchor_bias)) {
    const genie_tensor_type_t bias = genie_value_type(anchor_bias);
    if (bias.rank != 1 || bias.dtype != type.dtype || !mlirAffineExprEqual(bias.dims[0], type.dims[bias_dim]) ||
        genie_library_argument(lowering, anchor_bias) < 0) {
      return false;
    }
  }
  while (!mlirValueEqual(value, anchor)) {  // from the stored value back to the anchor
    if (!mlirValueIsAOpResult(value) || genie_lower_dtype(value) != type.dtype) {
      return false;
    }
    MlirOperation op = mlirOpResultGetOwner(value);
    const int activation = activation_of(op);
    const bool is_first = out_epilogue->activation == 0 && mlirValueIsNull(out_epilogue->residual);
    if (activation != GENIE_LIBRARY_ACTIVATION_NONE && is_first) {
      out_epilogue->activation = activation;
      value = mlirOperationGetOperand(op, 0);
      continue;
    }
    if (!genie_op_is(op, "genie.add")) {
      return false;
    }
    MlirValue lhs = mlirOperationGetOperand(op, 0), rhs = mlirOperationGetOperand(op, 1);
    const bool is_left = genie_region_depends_on(lhs, lowering->anchor);
    if (is_left == genie_region_depends_on(rhs, lowering->anchor) ||
        !take_addend(lowering, is_left ? rhs : lhs, bias_dim, &type, out_epilogue)) {
      return false;
    }
    value = is_left ? lhs : rhs;
  }
  return true;
}

int genie_library_append_epilogue(const genie_lowering_t *lowering, const genie_library_epilogue_t *epilogue,
                                  genie_library_call_t *call) {
  int flags = 0;
  if (!mlirValueIsNull(epilogue->bias)) {
    flags |= GENIE_LIBRARY_HAS_BIAS;
    call->arguments[call->argument_count++] = genie_library_argument(lowering, epilogue->bias);
  }
  if (!mlirValueIsNull(epilogue->residual)) {
    genie_strided_view_t view;
    flags |= GENIE_LIBRARY_HAS_RESIDUAL;
    if (genie_lower_view(lowering, epilogue->residual, &view)) {
      call->arguments[call->argument_count++] = genie_region_argument(lowering, view.root);
    }
  }
  return flags;
}
