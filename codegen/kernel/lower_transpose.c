#include "codegen/kernel/lower_transpose.h"

#include <stdio.h>

#include "codegen/kernel/hook.h"

enum {
  THREADS = 256,  // as in templates/cuda/transpose.c
  TILE = 64,
  LEAST_SIZE = TILE / 2,  // of either dimension of a tile: less would leave most of it empty
  LEAST_TILES = 132,      // fewer leave a large GPU idle
  GROUP_BYTES = 16,
};

typedef struct side {
  int64_t size, source, result;  // strides
} side_t;

// The result is [batch][columns][rows] or [columns][batch][rows].
typedef struct copy {
  genie_strided_view_t source;
  int64_t offset, element_bytes;
  side_t batch, columns, rows;
} copy_t;

// The dimensions of the result outermost first, without those of size 1, and those joined that both sides walk as one.
// Their number, or 0 where a size or stride is not constant.
static int read_dims(const genie_strided_view_t *source, const genie_strided_view_t *result, const int *order,
                     side_t *dims) {
  int count = 0;
  for (int k = 0; k < source->rank; ++k) {
    const int d = order[k];
    side_t dim;
    if (!genie_dim_is_constant(source->dims[d], &dim.size) || !genie_dim_is_constant(source->strides[d], &dim.source) ||
        !genie_dim_is_constant(result->strides[d], &dim.result)) {
      return 0;
    }
    side_t *last = count > 0 ? &dims[count - 1] : NULL;
    if (dim.size == 1) {
      continue;
    }
    if (last != NULL && last->source == dim.source * dim.size) {
      *last = (side_t){last->size * dim.size, dim.source, dim.result};
    } else {
      dims[count++] = dim;
    }
  }
  return count;
}

static bool sort_dims(const side_t *dims, int count, copy_t *copy) {
  if (count < 2 || count > 3) {
    return false;
  }
  copy->rows = dims[count - 1];
  copy->batch = (side_t){.size = 1};
  int dense = 0;
  for (int i = 0; i < count - 1; ++i) {
    if (dims[i].source == 1) {
      copy->columns = dims[i];
      ++dense;
    } else {
      copy->batch = dims[i];
    }
  }
  return dense == 1 && copy->rows.source > 1 && copy->batch.source >= 0;
}

static int64_t tiles_of(int64_t size) {
  return (size + TILE - 1) / TILE;
}

static int64_t tile_count(const copy_t *copy) {
  return copy->batch.size * tiles_of(copy->rows.size) * tiles_of(copy->columns.size);
}

static bool find_copy(const genie_lowering_t *lowering, copy_t *copy) {
  MlirValue value = mlirOperationGetOperand(lowering->yield, 0);
  if (lowering->state->output_count != 1 || !genie_lower_view(lowering, value, &copy->source) ||
      !mlirValueIsABlockArgument(copy->source.root) || !genie_dim_is_constant(copy->source.offset, &copy->offset)) {
    return false;
  }
  int64_t storage[GENIE_IR_MAX_RANK];
  const int64_t *layout = genie_region_layout(lowering, lowering->state->input_count, storage);
  genie_strided_view_t result;
  genie_strided_dense(mlirValueGetType(value), layout, &result);
  int order[GENIE_IR_MAX_RANK];
  for (int k = 0; k < copy->source.rank; ++k) {
    order[k] = layout == NULL ? k : (int)layout[k];
  }
  side_t dims[GENIE_IR_MAX_RANK];
  copy->element_bytes = (int64_t)genie_dtype_bytes(genie_lower_dtype(value));
  return sort_dims(dims, read_dims(&copy->source, &result, order, dims), copy) && copy->rows.size >= LEAST_SIZE &&
         copy->columns.size >= LEAST_SIZE && tile_count(copy) >= LEAST_TILES && tile_count(copy) <= INT32_MAX;
}

static genie_status_t define_addresses(genie_lowering_t *lowering, const copy_t *copy) {
  const genie_lower_space_t space = {.rank = 0};
  genie_strided_view_t first = copy->source;
  first.rank = 0;
  GENIE_RETURN_IF_ERROR(genie_lower_define_address(lowering, "genie_source", &first, &space));
  genie_hook_t hook;
  if (genie_hook_begin(lowering, "genie_result", &hook)) {
    first.offset = genie_dim_constant(lowering->context, 0);
    LLVMBuildRet(hook.builder, genie_hook_output_address(&hook, 0, &first, NULL));
    genie_hook_end(&hook);
  }
  return GENIE_OK;
}

static genie_status_t define_sizes(genie_lowering_t *lowering, const copy_t *copy) {
  const int64_t group = GROUP_BYTES / copy->element_bytes;
  const bool source_has_groups =
      (copy->offset | copy->columns.size | copy->rows.source | copy->batch.source) % group == 0;
  const bool result_has_groups = (copy->rows.size | copy->columns.result | copy->batch.result) % group == 0;
  const struct {
    const char *name;
    int64_t value;
  } sizes[] = {
      {"genie_rows", copy->rows.size},
      {"genie_columns", copy->columns.size},
      {"genie_source_stride", copy->rows.source},
      {"genie_source_batch_stride", copy->batch.source},
      {"genie_result_stride", copy->columns.result},
      {"genie_result_batch_stride", copy->batch.result},
      {"genie_source_has_groups", source_has_groups},
      {"genie_result_has_groups", result_has_groups},
  };
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); ++i) {
    GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, sizes[i].name, sizes[i].value));
  }
  return GENIE_OK;
}

genie_status_t genie_lower_transpose(genie_lowering_t *lowering, bool *out_is_done) {
  copy_t copy;
  *out_is_done = find_copy(lowering, &copy);
  if (!*out_is_done) {
    return GENIE_OK;
  }
  char name[32];
  snprintf(name, sizeof(name), "transpose_b%d", (int)copy.element_bytes * 8);
  GENIE_RETURN_IF_ERROR(genie_lower_use_template(lowering, name));
  lowering->threads = THREADS;
  lowering->grid = genie_dim_constant(lowering->context, tile_count(&copy));
  lowering->grain = genie_lower_grain((double)TILE * TILE);
  GENIE_RETURN_IF_ERROR(define_sizes(lowering, &copy));
  return define_addresses(lowering, &copy);
}
