// Shape rules of gathers, scatters and embeddings.
#include "ir/op_rules.h"
#include "ir/shape/shape.h"

// Operand `index` is an i32 or i64 tensor.
static genie_status_t index_operand(const genie_shape_query_t *query, intptr_t index, genie_tensor_type_t *out_index) {
  *out_index = genie_shape_operand(query, index);
  return genie_shape_is_index(out_index->dtype)
             ? GENIE_OK
             : genie_shape_refuse("index must be i32 or i64, not %s", genie_dtype_name(out_index->dtype));
}

genie_status_t genie_shape_gather(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  genie_tensor_type_t index;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, x.rank, &axis));
  if (index.rank != x.rank) {
    return genie_shape_refuse("index %s must have the rank of x %s", genie_shape_text(&index, query->context).text,
                              genie_shape_text(&x, query->context).text);
  }
  index.dtype = x.dtype;
  out_types[0] = genie_shape_type(query, &index);
  return GENIE_OK;
}

genie_status_t genie_shape_take(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  genie_tensor_type_t x = genie_shape_operand(query, 0);
  genie_tensor_type_t index;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  int axis = 0;
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, x.rank, &axis));
  if (index.rank != 1) {
    return genie_shape_refuse("index must have one dimension, not %s", genie_shape_text(&index, query->context).text);
  }
  x.dims[axis] = index.dims[0];
  out_types[0] = genie_shape_type(query, &x);
  return GENIE_OK;
}

// `axes` (consecutive, one for each index from operand `first` on), and the broadcast dimensions of the indices.
static genie_status_t indexed_axes(const genie_shape_query_t *query, int rank, intptr_t first, int *out_axis,
                                   int *out_count, genie_tensor_type_t *out_broadcast) {
  const int count = (int)(query->operand_count - first);
  int64_t axes[GENIE_IR_MAX_RANK];
  if (count < 1 || count > rank) {
    return genie_shape_refuse("%d indices for rank %d", count, rank);
  }
  GENIE_RETURN_IF_ERROR(genie_shape_i64_array(query, "axes", count, axes, NULL));
  for (int i = 0; i < count; ++i) {
    if (axes[i] != axes[0] + i || axes[i] < 0 || axes[i] >= rank) {
      return genie_shape_refuse("axes must be consecutive and inside rank %d", rank);
    }
    genie_tensor_type_t index;
    GENIE_RETURN_IF_ERROR(index_operand(query, first + i, &index));
    if (i == 0) {
      *out_broadcast = index;
    } else {
      GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &index, out_broadcast));
    }
  }
  *out_axis = (int)axes[0];
  *out_count = count;
  return GENIE_OK;
}

// x with the dimensions [axis, axis + count) replaced by those of `middle`.
static genie_status_t replace_dims(const genie_shape_query_t *query, const genie_tensor_type_t *x, int axis, int count,
                                   const genie_tensor_type_t *middle, genie_tensor_type_t *out_tensor) {
  const int rank = x->rank - count + middle->rank;
  if (rank > GENIE_IR_MAX_RANK) {
    return genie_shape_refuse("the result of indexing %s would have rank %d; at most %d is supported",
                              genie_shape_text(x, query->context).text, rank, GENIE_IR_MAX_RANK);
  }
  *out_tensor = (genie_tensor_type_t){.dtype = x->dtype};
  for (int i = 0; i < axis; ++i) {
    out_tensor->dims[out_tensor->rank++] = x->dims[i];
  }
  for (int i = 0; i < middle->rank; ++i) {
    out_tensor->dims[out_tensor->rank++] = middle->dims[i];
  }
  for (int i = axis + count; i < x->rank; ++i) {
    out_tensor->dims[out_tensor->rank++] = x->dims[i];
  }
  return GENIE_OK;
}

genie_status_t genie_shape_index(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 1));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  genie_tensor_type_t broadcast;
  genie_tensor_type_t result;
  int axis = 0;
  int count = 0;
  GENIE_RETURN_IF_ERROR(indexed_axes(query, x.rank, 1, &axis, &count, &broadcast));
  GENIE_RETURN_IF_ERROR(replace_dims(query, &x, axis, count, &broadcast, &result));
  out_types[0] = genie_shape_type(query, &result);
  return GENIE_OK;
}

genie_status_t genie_shape_index_put(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  const genie_tensor_type_t value = genie_shape_operand(query, 1);
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 1, x.dtype));
  genie_tensor_type_t broadcast;
  genie_tensor_type_t target;
  int axis = 0;
  int count = 0;
  GENIE_RETURN_IF_ERROR(indexed_axes(query, x.rank, 2, &axis, &count, &broadcast));
  GENIE_RETURN_IF_ERROR(replace_dims(query, &x, axis, count, &broadcast, &target));
  genie_tensor_type_t both = target;
  GENIE_RETURN_IF_ERROR(genie_shape_broadcast_into(query, &value, &both));
  if (!genie_shape_same_dims(&both, &target)) {
    return genie_shape_refuse("value %s does not broadcast to the indexed %s",
                              genie_shape_text(&value, query->context).text,
                              genie_shape_text(&target, query->context).text);
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_index_copy(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 3));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  const genie_tensor_type_t source = genie_shape_operand(query, 2);
  genie_tensor_type_t index;
  int axis = 0;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, x.rank, &axis));
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 2, x.dtype));
  genie_tensor_type_t expected = x;
  if (index.rank == 1) {
    expected.dims[axis] = index.dims[0];
  }
  if (index.rank != 1 || !genie_shape_same_dims(&expected, &source)) {
    return genie_shape_refuse(
        "source %s and index %s do not name slices of axis %d of %s", genie_shape_text(&source, query->context).text,
        genie_shape_text(&index, query->context).text, axis, genie_shape_text(&x, query->context).text);
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_scatter(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 3));
  const genie_tensor_type_t x = genie_shape_operand(query, 0);
  const genie_tensor_type_t source = genie_shape_operand(query, 2);
  genie_tensor_type_t index;
  int axis = 0;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  GENIE_RETURN_IF_ERROR(genie_shape_axis(query, x.rank, &axis));
  GENIE_RETURN_IF_ERROR(genie_shape_require_dtype(query, 2, x.dtype));
  if (index.rank != x.rank || source.rank != x.rank) {
    return genie_shape_refuse(
        "index %s and source %s must have the rank of x %s", genie_shape_text(&index, query->context).text,
        genie_shape_text(&source, query->context).text, genie_shape_text(&x, query->context).text);
  }
  out_types[0] = query->operand_types[0];
  return GENIE_OK;
}

genie_status_t genie_shape_embedding(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  const genie_tensor_type_t table = genie_shape_operand(query, 0);
  genie_tensor_type_t index;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  if (table.rank != 2) {
    return genie_shape_refuse("table must be [V, D], not %s", genie_shape_text(&table, query->context).text);
  }
  genie_tensor_type_t result;
  GENIE_RETURN_IF_ERROR(replace_dims(query, &table, 0, 1, &index, &result));
  out_types[0] = genie_shape_type(query, &result);
  return GENIE_OK;
}

genie_status_t genie_shape_embedding_bag(const genie_shape_query_t *query, MlirType *out_types) {
  GENIE_RETURN_IF_ERROR(genie_shape_require(query, 2));
  genie_tensor_type_t table = genie_shape_operand(query, 0);
  genie_tensor_type_t index;
  GENIE_RETURN_IF_ERROR(index_operand(query, 1, &index));
  const bool has_offsets = genie_shape_has_operand(query, 2);
  if (table.rank != 2 || index.rank != (has_offsets ? 1 : 2)) {
    return genie_shape_refuse(
        "table %s and index %s must be [V, D] and %s", genie_shape_text(&table, query->context).text,
        genie_shape_text(&index, query->context).text, has_offsets ? "[n] with offsets" : "[B, n] without offsets");
  }
  table.dims[0] = index.dims[0];
  if (has_offsets) {
    genie_tensor_type_t offsets;
    GENIE_RETURN_IF_ERROR(index_operand(query, 2, &offsets));
    if (offsets.rank != 1) {
      return genie_shape_refuse("offsets must be [B], not %s", genie_shape_text(&offsets, query->context).text);
    }
    const int64_t closing = genie_shape_bool(query, "include_last_offset") ? 1 : 0;
    table.dims[0] = genie_dim_sub(offsets.dims[0], genie_dim_constant(query->context, closing));
  }
  out_types[0] = genie_shape_type(query, &table);
  return GENIE_OK;
}
