// attention: blocks of queries and keys, or a stream over the keys for a few queries.
#include <string.h>

#include "codegen/kernel/gpu_block.h"
#include "codegen/kernel/hook.h"
#include "codegen/kernel/operand.h"

enum {
  FEW_QUERIES = 4,
  TILE_ROWS = 12,
  MOST_QUERIES = 132,
  MOST_KEYS = 512,
  PANEL = 32,  // columns of a tile of f32 in the widest vectors
  LANES = 16,  // of f32 in the widest vectors
};

typedef struct operands {
  genie_operand_t q, key, value;
  int lead;  // dimensions before the heads
  bool has_heads, has_computed_query;
  MlirAffineExpr batch, heads, queries, keys, e, d;
  int64_t group;
} operands_t;

static int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// On a GPU a prologue may compute a few queries: then `q` has the shape of the query and nothing else.
static genie_status_t read_query(genie_lowering_t *lowering, MlirValue query, operands_t *o) {
  genie_strided_view_t view;
  o->has_computed_query = lowering->target->is_cuda && !genie_lower_view(lowering, query, &view);
  if (!o->has_computed_query) {
    return genie_operand_get(lowering, query, "the query", &o->q);
  }
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(lowering->anchor, "key"), "the key", &o->q));
  MlirValue root = o->q.view.root;
  genie_strided_dense(mlirValueGetType(query), NULL, &o->q.view);
  o->q.view.root = root;
  o->q.dtype = genie_lower_dtype(query);
  return GENIE_OK;
}

static genie_status_t read_operands(genie_lowering_t *lowering, operands_t *o) {
  MlirOperation op = lowering->anchor;
  GENIE_RETURN_IF_ERROR(read_query(lowering, genie_ir_operand(op, "query"), o));
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(op, "key"), "the key", &o->key));
  GENIE_RETURN_IF_ERROR(genie_operand_get(lowering, genie_ir_operand(op, "value"), "the value", &o->value));
  const genie_strided_view_t *q = &o->q.view, *key = &o->key.view, *value = &o->value.view;
  if (q->rank != key->rank || q->rank != value->rank || o->q.width + o->key.width + o->value.width != 0) {
    return genie_lower_unimplemented(lowering, "query, key and value have different ranks");
  }
  const int rank = q->rank;
  MlirAffineExpr one = genie_dim_constant(lowering->context, 1);
  o->has_heads = rank > 2;
  o->lead = rank > 3 ? rank - 3 : 0;
  o->batch = genie_dim_product(lowering->context, o->lead, q->dims);
  o->heads = o->has_heads ? q->dims[rank - 3] : one;
  o->queries = q->dims[rank - 2];
  o->keys = key->dims[rank - 2];
  o->e = q->dims[rank - 1];
  o->d = value->dims[rank - 1];
  MlirAffineExpr kv_heads = o->has_heads ? key->dims[rank - 3] : one;
  int64_t heads = 0, shared = 0;
  o->group = 1;
  if (!mlirAffineExprEqual(o->heads, kv_heads)) {
    if (!genie_dim_is_constant(o->heads, &heads) || !genie_dim_is_constant(kv_heads, &shared) || shared <= 0 ||
        heads % shared != 0) {
      return genie_lower_unimplemented(lowering, "the heads of the query are no multiple of those of the key");
    }
    o->group = heads / shared;
  }
  return GENIE_OK;
}

// The leading dimensions of the query with the heads of `operand`: what (batch, head) names.
static genie_lower_space_t head_space(const operands_t *o, const genie_operand_t *operand) {
  const int arg_dims[] = {o->lead, o->has_heads};
  genie_lower_space_t space = genie_operand_space(o->lead + o->has_heads, o->q.view.dims, 2, arg_dims);
  if (o->has_heads) {
    space.dims[o->lead] = operand->view.dims[operand->view.rank - 3];
  }
  return space;
}

static genie_status_t define_operand(genie_lowering_t *lowering, const operands_t *o, const genie_operand_t *operand,
                                     const char *base, const char *dtype, const char *row_stride, const char *stride) {
  const genie_lower_space_t space = head_space(o, operand);
  const genie_strided_view_t *view = &operand->view;
  GENIE_RETURN_IF_ERROR(genie_operand_define_base(lowering, base, operand, view->rank - 2, &space));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, dtype, operand->dtype));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, row_stride, view->strides[view->rank - 2]));
  return genie_lower_define_size(lowering, stride, view->strides[view->rank - 1]);
}

// A mask as a view of [lead.., heads, queries, keys]; false where it is not in memory as bytes.
static bool read_mask(const genie_lowering_t *lowering, const operands_t *o, MlirValue mask, genie_operand_t *out) {
  genie_strided_view_t view;
  if (genie_lower_dtype(mask) != GENIE_DTYPE_BOOL || !genie_lower_view(lowering, mask, &view)) {
    return false;
  }
  const int rank = o->q.view.rank;
  MlirAffineExpr one = genie_dim_constant(lowering->context, 1), zero = genie_dim_constant(lowering->context, 0);
  *out = (genie_operand_t){.view = {.root = view.root, .offset = view.offset, .rank = rank}, .dtype = GENIE_DTYPE_BOOL};
  for (int d = 0; d < rank; ++d) {
    const int own = d - (rank - view.rank);
    int64_t size = 0;
    const bool is_shared = own < 0 || (genie_dim_is_constant(view.dims[own], &size) && size == 1);
    out->view.dims[d] = is_shared ? one : view.dims[own];
    out->view.strides[d] = is_shared ? zero : view.strides[own];
  }
  return mlirAffineExprEqual(out->view.dims[rank - 1], o->keys);
}

// Rows of a mask that a GPU reads in groups of 16 bytes.
static genie_status_t define_mask_rows(genie_lowering_t *lowering, const operands_t *o, MlirValue mask) {
  genie_operand_t rows;
  const int rank = o->q.view.rank;
  const bool is_vector =
      !mlirValueIsNull(mask) && read_mask(lowering, o, mask, &rows) && genie_operand_has_groups(&rows, rank - 1);
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_mask_is_vector", is_vector));
  const int arg_dims[] = {o->lead, o->has_heads, 1};
  genie_lower_space_t space = genie_operand_space(rank - 1, o->q.view.dims, 3, arg_dims);
  return genie_operand_define_base(lowering, "genie_mask_row", is_vector ? &rows : &o->q, is_vector ? rank - 1 : 0,
                                   &space);
}

static genie_status_t define_mask(genie_lowering_t *lowering, const operands_t *o) {
  MlirValue mask = genie_ir_operand(lowering->anchor, "mask");
  if (lowering->target->is_cuda) {
    GENIE_RETURN_IF_ERROR(define_mask_rows(lowering, o, mask));
  }
  if (mlirValueIsNull(mask)) {
    GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, "genie_mask", 0));
    return genie_lower_define_i64(lowering, "genie_mask_kind", 0);
  }
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_mask_kind", genie_lower_dtype(mask) == GENIE_DTYPE_BOOL ? 1 : 2));
  const int rank = o->q.view.rank;
  const int arg_dims[] = {o->lead, o->has_heads, 1, 1};
  genie_lower_space_t space = genie_operand_space(rank, o->q.view.dims, 4, arg_dims);
  space.dims[rank - 1] = o->keys;
  return genie_lower_define_load(lowering, "genie_mask", mask, &space);
}

static genie_status_t define_groups(genie_lowering_t *lowering, const operands_t *o) {
  const int last = o->q.view.rank - 1;
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_q_is_vector", genie_operand_has_groups(&o->q, last)));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_key_is_vector", genie_operand_has_groups(&o->key, last)));
  return genie_lower_define_i64(lowering, "genie_value_is_vector", genie_operand_has_groups(&o->value, last));
}

static genie_status_t define_hooks(genie_lowering_t *lowering, const operands_t *o) {
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_heads", o->heads));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_group", o->group));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_queries", o->queries));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_keys", o->keys));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_e", o->e));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_d", o->d));
  GENIE_RETURN_IF_ERROR(genie_lower_define_f64(lowering, "genie_scale", genie_ir_f64(lowering->anchor, "scale")));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_is_causal", genie_ir_bool(lowering->anchor, "is_causal")));
  GENIE_RETURN_IF_ERROR(
      define_operand(lowering, o, &o->q, "genie_q", "genie_q_dtype", "genie_q_row_stride", "genie_q_stride"));
  GENIE_RETURN_IF_ERROR(
      define_operand(lowering, o, &o->key, "genie_key", "genie_key_dtype", "genie_key_row_stride", "genie_key_stride"));
  GENIE_RETURN_IF_ERROR(define_operand(lowering, o, &o->value, "genie_value", "genie_value_dtype",
                                       "genie_value_row_stride", "genie_value_stride"));
  GENIE_RETURN_IF_ERROR(define_mask(lowering, o));
  GENIE_RETURN_IF_ERROR(define_groups(lowering, o));
  const int arg_dims[] = {o->lead, o->has_heads, 1, 1};
  const genie_lower_space_t space =
      genie_lower_space_split(mlirValueGetType(mlirOperationGetResult(lowering->anchor, 0)), 4, arg_dims);
  if (lowering->target->is_cuda) {
    int64_t d = 0;
    const bool has_pairs = strncmp(lowering->state->template_name, "attention_mma", 13) == 0 &&
                           genie_dim_is_constant(o->d, &d) && d % 2 == 0;
    return genie_gpu_define_stores(lowering, "genie_store", has_pairs ? 2 : 1, &space);
  }
  return genie_lower_define_store(lowering, "genie_store", &space);
}

static bool is_contiguous(const genie_operand_t *operand) {
  int64_t stride = 0;
  return genie_dim_is_constant(operand->view.strides[operand->view.rank - 1], &stride) && stride == 1;
}

static genie_status_t lower_decode(genie_lowering_t *lowering, const operands_t *o, int64_t element_bytes) {
  const int64_t rows = o->group * genie_lower_maximum(lowering, o->queries),
                keys = genie_lower_maximum(lowering, o->keys);
  const int64_t e = genie_lower_maximum(lowering, o->e);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "attention_decode", element_bytes == 8));
  lowering->grid = genie_dim_mul(o->batch, genie_lower_ceildiv(o->heads, o->group));
  lowering->grain = genie_lower_grain((double)(rows * keys * e) / 4);
  lowering->scratch_bytes = (uint64_t)(rows * (round_up(e, LANES) + round_up(keys, LANES)) * element_bytes);
  return define_hooks(lowering, o);
}

static genie_status_t lower_blocked(genie_lowering_t *lowering, const operands_t *o, int64_t element_bytes) {
  const int64_t queries = genie_lower_maximum(lowering, o->queries), keys = genie_lower_maximum(lowering, o->keys);
  const int64_t e = genie_lower_maximum(lowering, o->e), d = genie_lower_maximum(lowering, o->d);
  const int64_t query_blocks = (queries + MOST_QUERIES - 1) / MOST_QUERIES;
  const int64_t block_queries =
      round_up((queries + query_blocks - 1) / (query_blocks > 0 ? query_blocks : 1), TILE_ROWS);
  const int64_t block_keys = round_up(keys < MOST_KEYS ? keys : MOST_KEYS, PANEL);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "attention", element_bytes == 8));
  lowering->grid = genie_dim_mul(genie_dim_mul(o->batch, o->heads), genie_lower_ceildiv(o->queries, block_queries));
  lowering->grain = genie_lower_grain((double)(block_queries * keys) * (double)(e + d) / 24);
  lowering->scratch_bytes = (uint64_t)((block_queries * (e + 2 * block_keys + round_up(d, PANEL) + 2) +
                                        (e > block_keys ? e : block_keys) * PANEL + LANES) *
                                       element_bytes);
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_queries", block_queries));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_keys", block_keys));
  return define_hooks(lowering, o);
}

//===-- GPUs ------------------------------------------------------------------------------------------------------===//

enum {
  GPU_THREADS = 256,
  DECODE_THREADS = 512,
  LEAST_BLOCKS = 128,  // that fill a large GPU
  GPU_SHARED_BYTES = 220 << 10,
  GPU_ROWS = 32,     // queries, and keys, of a block: templates/cuda/attention.c
  GPU_MOST_D = 256,  // as above: 32 parts of 8
  DECODE_ROWS = 4,   // templates/cuda/attention_decode.c
};

// Blocks that share the keys of a head: more where heads are few. A target without clusters computes with one of them.
static int decode_cluster(const genie_lowering_t *lowering, const operands_t *o) {
  enum { MOST_BLOCKS = 2 * LEAST_BLOCKS, LEAST_KEYS = 64, MOST_SPLITS = 8 };
  const int64_t heads = genie_lower_maximum(lowering, o->batch) * genie_lower_maximum(lowering, o->heads) / o->group;
  const int64_t keys = genie_lower_maximum(lowering, o->keys);
  int cluster = o->q.dtype == GENIE_DTYPE_F64 ? 1 : MOST_SPLITS;
  while (cluster > 1 && (heads * cluster > MOST_BLOCKS || keys < LEAST_KEYS * cluster)) {
    cluster /= 2;
  }
  return cluster;
}

// Heads of a group that a block takes: all, or one where blocks are too few.
static int64_t decode_group(const genie_lowering_t *lowering, const operands_t *o) {
  if (decode_cluster(lowering, o) > 1) {
    return o->group;
  }
  const int64_t blocks = genie_lower_maximum(lowering, o->batch) * genie_lower_maximum(lowering, o->heads) / o->group;
  return blocks < LEAST_BLOCKS ? 1 : o->group;
}

// Whether the scores of all keys fit shared memory; sets its bytes.
static bool fits_decode(genie_lowering_t *lowering, const operands_t *o, int64_t element_bytes) {
  const int64_t rows = decode_group(lowering, o) * genie_lower_maximum(lowering, o->queries);
  const int64_t keys = genie_lower_maximum(lowering, o->keys), e = genie_lower_maximum(lowering, o->e);
  const int64_t group = 16 / (int64_t)genie_dtype_bytes(o->value.dtype);
  const int64_t results = DECODE_THREADS / GENIE_GPU_WARP * DECODE_ROWS * 8 * group;
  const int cluster = decode_cluster(lowering, o);
  const int64_t joined = cluster > 1 ? rows * (genie_lower_maximum(lowering, o->d) + 2 * cluster) : 0;
  const int64_t bytes = (rows * (e + keys + 2) + results + joined) * element_bytes;
  lowering->shared_bytes = bytes <= GPU_SHARED_BYTES ? (uint32_t)bytes : 0;
  return bytes <= GPU_SHARED_BYTES;
}

static genie_status_t lower_gpu_decode(genie_lowering_t *lowering, const operands_t *o, bool is_double) {
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "attention_decode", is_double));
  const int64_t block_group = decode_group(lowering, o);
  const int cluster = decode_cluster(lowering, o);
  lowering->threads = cluster > 1 ? DECODE_THREADS / 2 : DECODE_THREADS;
  lowering->cluster = cluster;
  lowering->grid = genie_dim_mul(genie_dim_mul(o->batch, genie_lower_ceildiv(o->heads, block_group)),
                                 genie_dim_constant(lowering->context, cluster));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_cluster", cluster));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_splits", lowering->target->has_clusters ? cluster : 1));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_most_keys", genie_lower_maximum(lowering, o->keys)));
  GENIE_RETURN_IF_ERROR(
      genie_lower_define_i64(lowering, "genie_rows", block_group * genie_lower_maximum(lowering, o->queries)));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_block_group", block_group));
  const int arg_dims[] = {o->lead, o->has_heads, 1, 1};
  MlirValue query = genie_ir_operand(lowering->anchor, "query");
  const genie_lower_space_t space = genie_lower_space_split(mlirValueGetType(query), 4, arg_dims);
  GENIE_RETURN_IF_ERROR(genie_lower_define_load(lowering, "genie_query", query, &space));
  return define_hooks(lowering, o);
}

static genie_status_t lower_gpu_blocked(genie_lowering_t *lowering, const operands_t *o, int64_t element_bytes) {
  const int64_t e = genie_lower_maximum(lowering, o->e), d = genie_lower_maximum(lowering, o->d);
  const int64_t bytes = (GPU_ROWS * (2 * e + 1 + d + GPU_ROWS + 1 + 2)) * element_bytes;
  if (d > GPU_MOST_D || bytes > GPU_SHARED_BYTES) {
    return genie_lower_unimplemented(lowering, "heads this long on a GPU");
  }
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "attention", element_bytes == 8));
  lowering->threads = GPU_THREADS;
  lowering->shared_bytes = (uint32_t)bytes;
  lowering->grid = genie_dim_mul(genie_dim_mul(o->batch, o->heads), genie_lower_ceildiv(o->queries, GPU_ROWS));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_parts", (d + 7) / 8));
  return define_hooks(lowering, o);
}

// Narrow floats in heads of whole tiles.
static bool fits_tensor_cores(const operands_t *o) {
  int64_t e = 0, d = 0;
  return genie_operand_is_narrow_pair(&o->q, &o->key) && genie_operand_is_narrow_pair(&o->q, &o->value) &&
         genie_dim_is_constant(o->e, &e) && genie_dim_is_constant(o->d, &d) && e > 0 && e % 16 == 0 && e <= 128 &&
         d > 0 && d % 8 == 0 && d <= 128;
}

static genie_status_t lower_gpu_mma(genie_lowering_t *lowering, const operands_t *o) {
  enum { ROWS = 64, PAD = 8, THREADS = 128, WARPS = 4, MOST_SIGHT_BYTES = 8 << 10 };
  int64_t e = 0, d = 0;
  genie_dim_is_constant(o->e, &e);
  genie_dim_is_constant(o->d, &d);
  GENIE_RETURN_IF_ERROR(genie_operand_use_template(lowering, "attention_mma", false));
  lowering->threads = THREADS;
  MlirValue mask = genie_ir_operand(lowering->anchor, "mask");
  const int64_t sight_bytes = (genie_lower_maximum(lowering, o->keys) + ROWS - 1) / ROWS * WARPS;
  const bool is_surveyed =
      !mlirValueIsNull(mask) && genie_lower_dtype(mask) == GENIE_DTYPE_BOOL && sight_bytes <= MOST_SIGHT_BYTES;
  lowering->shared_bytes = (uint32_t)(2 * ROWS * (e + PAD + d + PAD) + (is_surveyed ? sight_bytes : 0));
  MlirAffineExpr sheets = genie_dim_mul(o->batch, o->heads);
  lowering->grid = genie_dim_mul(sheets, genie_lower_ceildiv(o->queries, ROWS));
  GENIE_RETURN_IF_ERROR(genie_lower_define_size(lowering, "genie_sheets", sheets));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_is_surveyed", is_surveyed));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_steps", e / 16));
  GENIE_RETURN_IF_ERROR(genie_lower_define_i64(lowering, "genie_tiles", d / 8));
  return define_hooks(lowering, o);
}

static genie_status_t lower_gpu(genie_lowering_t *lowering, const operands_t *o, int64_t element_bytes) {
  const bool is_few = genie_lower_maximum(lowering, o->queries) <= FEW_QUERIES;
  if (is_few && fits_decode(lowering, o, element_bytes)) {
    return lower_gpu_decode(lowering, o, element_bytes == 8);
  }
  lowering->shared_bytes = 0;
  if (o->has_computed_query) {
    return genie_lower_unimplemented(lowering, "a query that is computed, of this size");
  }
  return fits_tensor_cores(o) ? lower_gpu_mma(lowering, o) : lower_gpu_blocked(lowering, o, element_bytes);
}

genie_status_t genie_lower_attention(genie_lowering_t *lowering) {
  operands_t o = {0};
  GENIE_RETURN_IF_ERROR(read_operands(lowering, &o));
  const int64_t element_bytes = o.q.dtype == GENIE_DTYPE_F64 ? 8 : 4;
  if (lowering->target->is_cuda) {
    return lower_gpu(lowering, &o, element_bytes);
  }
  const bool is_few =
      genie_lower_maximum(lowering, o.queries) <= FEW_QUERIES && is_contiguous(&o.key) && is_contiguous(&o.value);
  return is_few ? lower_decode(lowering, &o, element_bytes) : lower_blocked(lowering, &o, element_bytes);
}
