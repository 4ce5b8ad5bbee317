// What shape rules share. A rule is `genie_shape_<name>`; genie_ops.td names it in the column `shapeRule`.
#ifndef GENIE_IR_SHAPE_SHAPE_H_
#define GENIE_IR_SHAPE_SHAPE_H_

#include "ir/genie_ir.h"
#include "ir/op_slots.h"

// Text of a type for a message, as in "[2, s0] f32"; lives in the caller's frame.
typedef struct genie_shape_text {
  char text[160];
} genie_shape_text_t;
genie_shape_text_t genie_shape_text(const genie_tensor_type_t *tensor, MlirContext context);
genie_shape_text_t genie_shape_dim_text(MlirAffineExpr dim);

// INVALID_ARGUMENT with a printf-formatted message.
#define genie_shape_refuse(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

// Operand `index`; asserts that it is there.
genie_tensor_type_t genie_shape_operand(const genie_shape_query_t *query, intptr_t index);
bool genie_shape_has_operand(const genie_shape_query_t *query, intptr_t index);
// Operand `index` must be there for the rules that call this first; the message names the slot.
genie_status_t genie_shape_require(const genie_shape_query_t *query, intptr_t count) GENIE_MUST_USE;

// The type that the op states for result `index`; refuses when it states none.
genie_status_t genie_shape_stated_type(const genie_shape_query_t *query, int index,
                                       genie_tensor_type_t *out_tensor) GENIE_MUST_USE;

MlirType genie_shape_type(const genie_shape_query_t *query, const genie_tensor_type_t *tensor);

// Attribute accessors with the table's defaults.
int64_t genie_shape_i64(const genie_shape_query_t *query, const char *name);
bool genie_shape_bool(const genie_shape_query_t *query, const char *name);
// Reads an array of `count` numbers; refuses another length. `count` < 0 accepts up to GENIE_IR_MAX_RANK.
genie_status_t genie_shape_i64_array(const genie_shape_query_t *query, const char *name, int count,
                                     int64_t *out_numbers, int *out_count) GENIE_MUST_USE;
// Attribute `axis`, checked against `rank`.
genie_status_t genie_shape_axis(const genie_shape_query_t *query, int rank, int *out_axis) GENIE_MUST_USE;

// NumPy broadcasting of the dimensions of `b` into those of `dims`; dtypes are left alone.
genie_status_t genie_shape_broadcast_into(const genie_shape_query_t *query, const genie_tensor_type_t *b,
                                          genie_tensor_type_t *dims) GENIE_MUST_USE;

bool genie_shape_same_dims(const genie_tensor_type_t *a, const genie_tensor_type_t *b);
bool genie_shape_is_index(genie_dtype_t dtype);  // i32 or i64
bool genie_shape_is_float(genie_dtype_t dtype);

// Refuses when operand `index` (present) has another dtype than `dtype`.
genie_status_t genie_shape_require_dtype(const genie_shape_query_t *query, intptr_t index,
                                         genie_dtype_t dtype) GENIE_MUST_USE;
// Refuses when operand `index` is present and not of dims [size].
genie_status_t genie_shape_require_vector(const genie_shape_query_t *query, intptr_t index, MlirAffineExpr size,
                                          const char *name) GENIE_MUST_USE;

#endif  // GENIE_IR_SHAPE_SHAPE_H_
