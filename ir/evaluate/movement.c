// Views, concat, pad, packing, and ops that make a tensor from nothing.
#include <string.h>

#include "ir/evaluate/evaluate_op.h"
#include "ir/pack.h"

static size_t bytes_of(const genie_host_tensor_t *tensor) {
  return genie_dtype_bytes(tensor->dtype);
}

// permute, expand and slice: other strides over the same elements.
static genie_status_t evaluate_view(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count;
  int64_t strides[GENIE_IR_MAX_RANK];
  int64_t source[GENIE_IR_MAX_RANK] = {0};
  int64_t target[GENIE_IR_MAX_RANK];
  int64_t offset = 0;
  genie_host_tensor_strides(&operands[0], strides);
  genie_host_tensor_strides(result, target);
  if (genie_op_is(op, "genie.permute")) {
    int64_t permutation[GENIE_IR_MAX_RANK];
    genie_ir_i64_array(op, "permutation", GENIE_IR_MAX_RANK, permutation);
    for (int i = 0; i < result->rank; ++i) {
      source[i] = strides[permutation[i]];
    }
  } else if (genie_op_is(op, "genie.expand")) {
    const int shift = result->rank - operands[0].rank;
    for (int i = shift; i < result->rank; ++i) {
      source[i] = operands[0].dims[i - shift] == 1 ? 0 : strides[i - shift];
    }
  } else {
    const int axis = (int)genie_ir_i64(op, "axis");
    const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("start"));
    memcpy(source, strides, sizeof(source));
    source[axis] *= genie_ir_i64(op, "step");
    offset = genie_dim_value(mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0)) * strides[axis];
  }
  genie_strided_copy(result->rank, result->dims, bytes_of(result),
                     (const char *)operands[0].data + offset * (int64_t)bytes_of(result), source, result->data, target);
  return GENIE_OK;
}

static genie_status_t evaluate_flip(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count;
  int64_t source[GENIE_IR_MAX_RANK];
  int64_t target[GENIE_IR_MAX_RANK];
  int64_t axes[GENIE_IR_MAX_RANK];
  int64_t offset = 0;
  genie_host_tensor_strides(&operands[0], source);
  genie_host_tensor_strides(result, target);
  const int count = genie_ir_i64_array(op, "axes", GENIE_IR_MAX_RANK, axes);
  for (int i = 0; i < count; ++i) {
    offset += (result->dims[axes[i]] - 1) * source[axes[i]];
    source[axes[i]] = -source[axes[i]];
  }
  genie_strided_copy(result->rank, result->dims, bytes_of(result),
                     (const char *)operands[0].data + offset * (int64_t)bytes_of(result), source, result->data, target);
  return GENIE_OK;
}

static genie_status_t evaluate_concat(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                      genie_host_tensor_t *result) {
  const int axis = (int)genie_ir_i64(op, "axis");
  int64_t target[GENIE_IR_MAX_RANK];
  genie_host_tensor_strides(result, target);
  char *out = result->data;
  for (int i = 0; i < operand_count; ++i) {
    int64_t source[GENIE_IR_MAX_RANK];
    genie_host_tensor_strides(&operands[i], source);
    genie_strided_copy(result->rank, operands[i].dims, bytes_of(result), operands[i].data, source, out, target);
    out += operands[i].dims[axis] * target[axis] * (int64_t)bytes_of(result);
  }
  return GENIE_OK;
}

static void fill(genie_host_tensor_t *result, double value) {
  genie_block_t block;
  const int64_t count = genie_host_tensor_count(result);
  for (int i = 0; i < GENIE_BLOCK_COUNT; ++i) {
    block.f64[i] = value;
  }
  for (int64_t at = 0; at < count; at += GENIE_BLOCK_COUNT) {
    const int length = count - at < GENIE_BLOCK_COUNT ? (int)(count - at) : GENIE_BLOCK_COUNT;
    genie_block_store(GENIE_BLOCK_F64, &block, length, result->dtype,
                      (char *)result->data + at * (int64_t)bytes_of(result));
  }
}

// Constant padding; negative amounts cut.
static genie_status_t evaluate_pad(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                   genie_host_tensor_t *result) {
  (void)operand_count;
  int64_t low[GENIE_IR_MAX_RANK];
  int64_t dims[GENIE_IR_MAX_RANK];
  int64_t source[GENIE_IR_MAX_RANK];
  int64_t target[GENIE_IR_MAX_RANK];
  int64_t source_offset = 0;
  int64_t target_offset = 0;
  genie_ir_i64_array(op, "low", GENIE_IR_MAX_RANK, low);
  genie_host_tensor_strides(&operands[0], source);
  genie_host_tensor_strides(result, target);
  for (int i = 0; i < result->rank; ++i) {
    const int64_t cut = low[i] < 0 ? -low[i] : 0;
    const int64_t added = low[i] > 0 ? low[i] : 0;
    const int64_t kept = operands[0].dims[i] - cut;
    const int64_t room = result->dims[i] - added;
    dims[i] = kept < room ? kept : room;
    dims[i] = dims[i] < 0 ? 0 : dims[i];
    source_offset += cut * source[i];
    target_offset += added * target[i];
  }
  fill(result, genie_ir_f64(op, "value"));
  const int64_t bytes = (int64_t)bytes_of(result);
  genie_strided_copy(result->rank, dims, (size_t)bytes, (const char *)operands[0].data + source_offset * bytes, source,
                     (char *)result->data + target_offset * bytes, target);
  return GENIE_OK;
}

static genie_status_t evaluate_iota(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count, (void)operands;
  const double start = genie_ir_f64(op, "start");
  const double step = genie_ir_f64(op, "step");
  const int axis = (int)genie_ir_i64(op, "axis");
  int64_t strides[GENIE_IR_MAX_RANK];
  genie_host_tensor_strides(result, strides);
  const int64_t count = genie_host_tensor_count(result);
  for (int64_t at = 0; at < count; at += GENIE_BLOCK_COUNT) {
    const int length = count - at < GENIE_BLOCK_COUNT ? (int)(count - at) : GENIE_BLOCK_COUNT;
    genie_block_t block;
    for (int i = 0; i < length; ++i) {
      block.f64[i] = start + step * (double)((at + i) / strides[axis] % result->dims[axis]);
    }
    genie_block_store(GENIE_BLOCK_F64, &block, length, result->dtype,
                      (char *)result->data + at * (int64_t)bytes_of(result));
  }
  return GENIE_OK;
}

static genie_status_t evaluate_size(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count, (void)operands;
  const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("expression"));
  const int64_t value = genie_dim_value(mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0));
  genie_block_t block = {.i64 = {value}};
  genie_block_store(GENIE_BLOCK_I64, &block, 1, result->dtype, result->data);
  return GENIE_OK;
}

static genie_status_t evaluate_constant(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                        genie_host_tensor_t *result) {
  (void)operand_count, (void)operands;
  const MlirAttribute elements = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("value"));
  if (result->dtype == GENIE_DTYPE_BOOL) {
    for (int64_t i = 0; i < genie_host_tensor_count(result); ++i) {
      ((uint8_t *)result->data)[i] = mlirDenseElementsAttrGetBoolValue(elements, i);
    }
  } else {
    const size_t total = genie_host_tensor_bytes(result);
    size_t done = mlirDenseElementsAttrIsSplat(elements) ? bytes_of(result) : total;
    done = done < total ? done : total;
    memcpy(result->data, mlirDenseElementsAttrGetRawData(elements), done);
    while (done < total) {
      const size_t length = done < total - done ? done : total - done;
      memcpy((char *)result->data + done, result->data, length);
      done += length;
    }
  }
  return GENIE_OK;
}

static genie_status_t evaluate_pack(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                    genie_host_tensor_t *result) {
  (void)operand_count;
  const MlirStringRef name = genie_ir_string(op, "format");
  const genie_pack_format_t *format = genie_pack_find(name.data, name.length);
  format->pack(operands[0].rank, operands[0].dims, genie_ir_i64(op, "groups"), genie_ir_i64(op, "width"),
               bytes_of(result), operands[0].data, result->data);
  return GENIE_OK;
}

// The same elements; the dispatcher avoids the copy where it can.
static genie_status_t evaluate_reshape(MlirOperation op, int operand_count, const genie_host_tensor_t *operands,
                                       genie_host_tensor_t *result) {
  (void)op, (void)operand_count;
  memcpy(result->data, operands[0].data, genie_host_tensor_bytes(result));
  return GENIE_OK;
}

static bool is_constant_pad(MlirOperation op) {
  const MlirStringRef mode = genie_ir_string(op, "mode");
  return mode.length == strlen("constant") && memcmp(mode.data, "constant", mode.length) == 0;
}

static bool has_constant_start(MlirOperation op) {
  const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("start"));
  return mlirAffineExprIsAConstant(mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0));
}

static bool is_constant_size(MlirOperation op) {
  const MlirAttribute map = mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("expression"));
  return mlirAffineExprIsAConstant(mlirAffineMapGetResult(mlirAffineMapAttrGetValue(map), 0));
}

static bool has_dense_elements(MlirOperation op) {
  return mlirAttributeIsADenseElements(mlirOperationGetAttributeByName(op, mlirStringRefCreateFromCString("value")));
}

static bool has_known_format(MlirOperation op) {
  const MlirStringRef name = genie_ir_string(op, "format");
  return genie_pack_find(name.data, name.length) != NULL;
}

// `accepts` is NULL where any op of the name will do.
static const struct {
  const char *name;
  genie_evaluate_fn_t evaluate;
  bool (*accepts)(MlirOperation op);
} rows[] = {
    {"genie.reshape", evaluate_reshape, NULL},
    {"genie.permute", evaluate_view, NULL},
    {"genie.expand", evaluate_view, NULL},
    {"genie.slice", evaluate_view, has_constant_start},
    {"genie.flip", evaluate_flip, NULL},
    {"genie.concat", evaluate_concat, NULL},
    {"genie.pad", evaluate_pad, is_constant_pad},
    {"genie.iota", evaluate_iota, NULL},
    {"genie.size", evaluate_size, is_constant_size},
    {"genie.constant", evaluate_constant, has_dense_elements},
    {"genie.pack", evaluate_pack, has_known_format},
};

genie_evaluate_fn_t genie_evaluate_find_movement(MlirOperation op) {
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
    if (genie_op_is(op, rows[i].name)) {
      return rows[i].accepts == NULL || rows[i].accepts(op) ? rows[i].evaluate : NULL;
    }
  }
  return NULL;
}
