#include "passes/place/batch_split.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

//===-- Where a block of an operand goes --------------------------------------------------------------------------===//

// All sizes are constant: an entry with a symbol is refused before.
typedef struct sizes {
  int rank;
  int64_t of[GENIE_IR_MAX_RANK];
} sizes_t;

static bool read_sizes(MlirValue value, sizes_t *out_sizes) {
  const genie_tensor_type_t type = genie_value_type(value);
  out_sizes->rank = type.rank;
  for (int i = 0; i < type.rank; ++i) {
    if (!genie_dim_is_constant(type.dims[i], &out_sizes->of[i])) {
      return false;
    }
  }
  return true;
}

typedef struct operand {
  MlirOperation op;
  int index, axis;
  int64_t batch;
  sizes_t x, result;
} operand_t;

// A rule says along which axis of the result the blocks of the operand's axis lie; WHOLE: along none.
typedef int (*rule_fn_t)(const operand_t *operand);

// From the right, as operands broadcast.
static int broadcast(const operand_t *operand) {
  const int axis = operand->axis + operand->result.rank - operand->x.rank;
  return axis >= 0 && operand->x.of[operand->axis] == operand->result.of[axis] ? axis : GENIE_BATCH_WHOLE;
}

static int64_t product_before(const sizes_t *sizes, int axis) {
  int64_t product = 1;
  for (int i = 0; i < axis; ++i) {
    product *= sizes->of[i];
  }
  return product;
}

// Blocks stay blocks where as many elements lie before the axis and it still is a multiple of the batch.
static int reshape(const operand_t *operand) {
  for (int axis = 0; axis < operand->result.rank; ++axis) {
    if (product_before(&operand->result, axis) == product_before(&operand->x, operand->axis) &&
        operand->result.of[axis] % operand->batch == 0 && operand->result.of[axis] > 0) {
      return axis;
    }
  }
  return GENIE_BATCH_WHOLE;
}

static int permute(const operand_t *operand) {
  int64_t permutation[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(operand->op, "permutation", GENIE_IR_MAX_RANK, permutation);
  for (int i = 0; i < count; ++i) {
    if (permutation[i] == operand->axis) {
      return i;
    }
  }
  return GENIE_BATCH_WHOLE;
}

// The op works along `axis`: blocks along others stay.
static int beside_axis(const operand_t *operand) {
  const int64_t axis = genie_ir_i64(operand->op, "axis");
  return operand->axis == (axis < 0 ? axis + operand->x.rank : axis) ? GENIE_BATCH_WHOLE : operand->axis;
}

static bool is_among(MlirOperation op, const char *name, int64_t axis, int rank, int *out_below) {
  int64_t axes[GENIE_IR_MAX_RANK];
  const int count = genie_ir_i64_array(op, name, GENIE_IR_MAX_RANK, axes);
  bool is_there = count == 0;
  *out_below = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t one = axes[i] < 0 ? axes[i] + rank : axes[i];
    is_there = is_there || one == axis;
    *out_below += one < axis;
  }
  return is_there;
}

static int flip(const operand_t *operand) {
  int below;
  return is_among(operand->op, "axes", operand->axis, operand->x.rank, &below) ? GENIE_BATCH_WHOLE : operand->axis;
}

static int reduce(const operand_t *operand) {
  int below;
  if (is_among(operand->op, "axes", operand->axis, operand->x.rank, &below)) {
    return GENIE_BATCH_WHOLE;
  }
  return genie_ir_bool(operand->op, "keepdim") ? operand->axis : operand->axis - below;
}

static int pad(const operand_t *operand) {
  int64_t low[GENIE_IR_MAX_RANK], high[GENIE_IR_MAX_RANK];
  genie_ir_i64_array(operand->op, "low", GENIE_IR_MAX_RANK, low);
  genie_ir_i64_array(operand->op, "high", GENIE_IR_MAX_RANK, high);
  return low[operand->axis] == 0 && high[operand->axis] == 0 ? operand->axis : GENIE_BATCH_WHOLE;
}

static int linear(const operand_t *operand) {
  return operand->index == 0 && operand->axis < operand->x.rank - 1 ? operand->axis : GENIE_BATCH_WHOLE;
}

static int matmul(const operand_t *operand) {
  const int from_end = operand->x.rank - operand->axis;
  const bool is_contracted = from_end == (operand->index == 0 ? 1 : 2);
  if (is_contracted || operand->x.rank < 2 || operand->result.rank < 2) {
    return GENIE_BATCH_WHOLE;
  }
  return from_end <= 2 ? operand->result.rank - from_end : broadcast(operand);
}

// Of images, items come first.
static int image(const operand_t *operand) {
  return operand->index == 0 && operand->axis == 0 && operand->x.rank == operand->result.rank ? 0 : GENIE_BATCH_WHOLE;
}

static int convolution(const operand_t *operand) {
  const int weight_rank = genie_value_type(genie_ir_operand(operand->op, "weight")).rank;
  return operand->x.rank == weight_rank ? image(operand) : GENIE_BATCH_WHOLE;
}

// Items come first, of the mask too where it has as many dimensions.
static int attention(const operand_t *operand) {
  return operand->axis == 0 && operand->x.rank == operand->result.rank && operand->x.rank > 2 ? broadcast(operand)
                                                                                              : GENIE_BATCH_WHOLE;
}

static int norm(const operand_t *operand) {
  const int64_t rank = genie_ir_i64(operand->op, "normalized_rank");
  return operand->index == 0 && operand->axis < operand->x.rank - rank ? operand->axis : GENIE_BATCH_WHOLE;
}

static int embedding(const operand_t *operand) {
  return operand->index == 1 ? operand->axis : GENIE_BATCH_WHOLE;
}

// Bags of [items, n].
static int embedding_bag(const operand_t *operand) {
  const bool has_rows = operand->index == 1 && operand->x.rank == 2 && operand->axis == 0;
  const bool is_plain = mlirValueIsNull(genie_ir_operand(operand->op, "offsets")) &&
                        mlirValueIsNull(genie_ir_operand(operand->op, "sample_weights"));
  return has_rows && is_plain ? 0 : GENIE_BATCH_WHOLE;
}

static rule_fn_t rule_of(MlirOperation op) {
  static const struct {
    const char *name;
    rule_fn_t rule;
  } RULES[] = {{"genie.reshape", reshape},
               {"genie.permute", permute},
               {"genie.expand", broadcast},
               {"genie.slice", beside_axis},
               {"genie.concat", beside_axis},
               {"genie.softmax", beside_axis},
               {"genie.log_softmax", beside_axis},
               {"genie.cumsum", beside_axis},
               {"genie.sort", beside_axis},
               {"genie.topk", beside_axis},
               {"genie.flip", flip},
               {"genie.pad", pad},
               {"genie.sum", reduce},
               {"genie.mean", reduce},
               {"genie.amax", reduce},
               {"genie.amin", reduce},
               {"genie.prod", reduce},
               {"genie.any", reduce},
               {"genie.all", reduce},
               {"genie.var", reduce},
               {"genie.argmax", reduce},
               {"genie.argmin", reduce},
               {"genie.linear", linear},
               {"genie.matmul", matmul},
               {"genie.conv", convolution},
               {"genie.conv_transpose", convolution},
               {"genie.max_pool", image},
               {"genie.avg_pool", image},
               {"genie.adaptive_avg_pool", image},
               {"genie.upsample", image},
               {"genie.batch_norm", image},
               {"genie.group_norm", image},
               {"genie.layer_norm", norm},
               {"genie.rms_norm", norm},
               {"genie.attention", attention},
               {"genie.embedding", embedding},
               {"genie.embedding_bag", embedding_bag}};
  for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; ++i) {
    if (genie_op_is(op, RULES[i].name)) {
      return RULES[i].rule;
    }
  }
  return genie_rewrite_is_elementwise(op) ? broadcast : NULL;
}

// Where blocks along `axis` of operand `index` lie in the first result.
static int result_axis(const genie_batch_split_t *split, MlirOperation op, intptr_t index, int axis) {
  operand_t operand = {.op = op, .index = (int)index, .axis = axis, .batch = split->batch};
  const rule_fn_t rule = rule_of(op);
  if (rule == NULL || !read_sizes(mlirOperationGetOperand(op, index), &operand.x) ||
      !read_sizes(mlirOperationGetResult(op, 0), &operand.result)) {
    return GENIE_BATCH_WHOLE;
  }
  const int result = rule(&operand);
  return result >= 0 && operand.result.of[result] % split->batch == 0 ? result : GENIE_BATCH_WHOLE;
}

//===-- The proof -------------------------------------------------------------------------------------------------===//

static genie_status_t set_obstacle(genie_batch_split_t *split, MlirOperation op, const char *what) {
  char module[96] = "";
  const MlirAttribute attribute = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("genie.module"));
  if (!mlirAttributeIsNull(attribute) && mlirAttributeIsAString(attribute)) {
    const MlirStringRef text = mlirStringAttrGetValue(attribute);
    snprintf(module, sizeof module, " of %.*s", (int)text.length, text.data);
  }
  snprintf(split->obstacle, sizeof split->obstacle, "%s%s %s", mlirIdentifierStr(mlirOperationGetName(op)).data, module,
           what);
  split->batch = 1;
  return GENIE_OK;
}

int genie_batch_split_axis(const genie_batch_split_t *split, MlirValue value) {
  return genie_pointer_map_get(&split->axis_of, value.ptr);
}

int genie_batch_split_operand_axis(const genie_batch_split_t *split, MlirOperation op, intptr_t index) {
  const MlirValue operand = mlirOperationGetOperand(op, index);
  const int axis = genie_batch_split_axis(split, operand);
  if (axis != GENIE_BATCH_WHOLE) {
    return axis;
  }
  const int of_result = genie_batch_split_axis(split, mlirOperationGetResult(op, 0));
  const int rank = genie_value_type(operand).rank;
  for (int i = 0; i < rank; ++i) {
    if (result_axis(split, op, index, i) == of_result) {
      return i;
    }
  }
  return GENIE_BATCH_WHOLE;
}

static genie_status_t split_op(genie_batch_split_t *split, MlirOperation op) {
  int axis = GENIE_BATCH_WHOLE;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(op); ++i) {
    const int of_operand = genie_batch_split_axis(split, mlirOperationGetOperand(op, i));
    if (of_operand == GENIE_BATCH_WHOLE) {
      continue;
    }
    if (genie_op_is(op, "func.return")) {
      continue;
    }
    const int here = result_axis(split, op, i, of_operand);
    if (here == GENIE_BATCH_WHOLE || (axis != GENIE_BATCH_WHOLE && here != axis)) {
      return set_obstacle(split, op, "needs the items of the batch together");
    }
    axis = here;
  }
  for (intptr_t i = 0; axis != GENIE_BATCH_WHOLE && i < mlirOperationGetNumResults(op); ++i) {
    GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&split->axis_of, mlirOperationGetResult(op, i).ptr, axis));
  }
  return GENIE_OK;
}

// The batch, from the first input that has dimensions; its obstacle is set where there is none.
static genie_status_t split_inputs(MlirOperation function, genie_batch_split_t *split) {
  const MlirBlock body = genie_rewrite_body(function);
  split->batch = 0;
  for (intptr_t i = 0; i < mlirBlockGetNumArguments(body); ++i) {
    MlirStringRef name;
    sizes_t sizes;
    const MlirValue argument = mlirBlockGetArgument(body, i);
    const genie_ir_argument_role_t role = genie_ir_argument_role(function, i, &name);
    if (role == GENIE_IR_ARGUMENT_WEIGHT) {
      continue;
    }
    if (role == GENIE_IR_ARGUMENT_STATE || !read_sizes(argument, &sizes)) {
      snprintf(split->obstacle, sizeof split->obstacle, "%s '%.*s'",
               role == GENIE_IR_ARGUMENT_STATE ? "state" : "the dynamic size of", (int)name.length, name.data);
      split->batch = 1;
      return GENIE_OK;
    }
    if (sizes.rank == 0) {
      continue;
    }
    split->batch = split->batch == 0 ? sizes.of[0] : split->batch;
    if (sizes.of[0] == split->batch && split->batch > 1) {
      GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&split->axis_of, argument.ptr, 0));
    }
  }
  if (split->batch <= 1) {
    split->batch = 1;
    snprintf(split->obstacle, sizeof split->obstacle, "a batch of one");
  }
  return GENIE_OK;
}

genie_status_t genie_batch_split_init(MlirOperation function, genie_batch_split_t *out_split) {
  *out_split = (genie_batch_split_t){0};
  genie_pointer_map_init(&out_split->axis_of);
  GENIE_RETURN_IF_ERROR(split_inputs(function, out_split));
  for (MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(function));
       out_split->batch > 1 && !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (mlirOperationGetNumRegions(op) > 0 || genie_op_is(op, "genie.state_update")) {
      return set_obstacle(out_split, op, "is not split");
    }
    GENIE_RETURN_IF_ERROR(split_op(out_split, op));
  }
  return GENIE_OK;
}

void genie_batch_split_deinit(genie_batch_split_t *split) {
  genie_pointer_map_deinit(&split->axis_of);
}
