// A copy whose result runs along another dimension than its source does: a block takes a tile of both through shared
// memory, so that each side is walked along memory. Elements are of ELEMENT_BITS, whatever they mean.
#include "codegen/templates/cuda/device.h"

#define UINT_OF(bits) UINT_OF_(bits)
#define UINT_OF_(bits) uint##bits##_t
typedef UINT_OF(ELEMENT_BITS) element_t;

enum {
  THREADS = 256,
  TILE = 64,
  GROUP = 16 / sizeof(element_t),              // elements that are loaded and stored at once
  PITCH = TILE + (GROUP > 4 ? GROUP / 4 : 1),  // of a row of the tile, so that a column lies in many banks
  GROUPS = TILE * TILE / GROUP / THREADS,      // of a thread
  ELEMENTS = TILE * TILE / THREADS,
};
typedef element_t group_t __attribute__((vector_size(16)));

// The source is [batch][row][column], the result [batch][column][row]; the last of either is dense.
i64 genie_rows(const frame_t *frame);
i64 genie_columns(const frame_t *frame);
i64 genie_source_stride(const frame_t *frame);  // of a row
i64 genie_source_batch_stride(const frame_t *frame);
i64 genie_result_stride(const frame_t *frame);  // of a column
i64 genie_result_batch_stride(const frame_t *frame);
i64 genie_source_has_groups(const frame_t *frame);  // they are whole and aligned
i64 genie_result_has_groups(const frame_t *frame);
const void *genie_source(const frame_t *frame);
void *genie_result(const frame_t *frame);

// Of a block: `rows` and `columns` of it are inside.
typedef struct tile {
  const element_t *source;
  element_t *result;
  int rows, columns;
} tile_t;

GENIE_INLINE tile_t tile_of_block(const frame_t *frame) {
  const uint32_t row_tiles = (uint32_t)((genie_rows(frame) + TILE - 1) / TILE);
  const uint32_t column_tiles = (uint32_t)((genie_columns(frame) + TILE - 1) / TILE);
  const uint32_t block = (uint32_t)block_index(), batch = block / column_tiles / row_tiles;
  const i64 row = block / column_tiles % row_tiles * TILE, column = block % column_tiles * TILE;
  return (tile_t){
      .source = (const element_t *)genie_source(frame) + batch * genie_source_batch_stride(frame) +
                row * genie_source_stride(frame) + column,
      .result = (element_t *)genie_result(frame) + batch * genie_result_batch_stride(frame) +
                column * genie_result_stride(frame) + row,
      .rows = (int)genie_min_i64(genie_rows(frame) - row, TILE),
      .columns = (int)genie_min_i64(genie_columns(frame) - column, TILE),
  };
}

typedef GENIE_SHARED_SPACE element_t shared_t;

GENIE_INLINE void load_groups(const frame_t *frame, const tile_t *tile, shared_t *shared) {
  group_t groups[GROUPS];
  GENIE_UNROLL
  for (int i = 0; i < GROUPS; ++i) {
    const int at = (i * THREADS + thread_index()) * GROUP, row = at / TILE, column = at % TILE;
    groups[i] = (group_t){0};
    if (row < tile->rows && column < tile->columns) {
      groups[i] = *(const group_t *)(const void *)(tile->source + row * genie_source_stride(frame) + column);
    }
  }
  GENIE_UNROLL
  for (int i = 0; i < GROUPS; ++i) {
    const int at = (i * THREADS + thread_index()) * GROUP;
    GENIE_UNROLL
    for (int v = 0; v < (int)GROUP; ++v) {
      shared[at / TILE * PITCH + at % TILE + v] = groups[i][v];
    }
  }
}

GENIE_INLINE void load_elements(const frame_t *frame, const tile_t *tile, shared_t *shared) {
#pragma clang loop unroll_count(8)
  for (int i = 0; i < ELEMENTS; ++i) {
    const int at = i * THREADS + thread_index(), row = at / TILE, column = at % TILE;
    if (row < tile->rows && column < tile->columns) {
      shared[row * PITCH + column] = tile->source[row * genie_source_stride(frame) + column];
    }
  }
}

GENIE_INLINE void store_groups(const frame_t *frame, const tile_t *tile, const shared_t *shared) {
  GENIE_UNROLL
  for (int i = 0; i < GROUPS; ++i) {
    const int at = (i * THREADS + thread_index()) * GROUP, column = at / TILE, row = at % TILE;
    group_t group;
    GENIE_UNROLL
    for (int v = 0; v < (int)GROUP; ++v) {
      group[v] = shared[(row + v) * PITCH + column];
    }
    if (row < tile->rows && column < tile->columns) {
      *(group_t *)(void *)(tile->result + column * genie_result_stride(frame) + row) = group;
    }
  }
}

GENIE_INLINE void store_elements(const frame_t *frame, const tile_t *tile, const shared_t *shared) {
#pragma clang loop unroll_count(8)
  for (int i = 0; i < ELEMENTS; ++i) {
    const int at = i * THREADS + thread_index(), column = at / TILE, row = at % TILE;
    if (row < tile->rows && column < tile->columns) {
      tile->result[column * genie_result_stride(frame) + row] = shared[row * PITCH + column];
    }
  }
}

void genie_kernel(const frame_t *frame) {
  GENIE_SHARED_ARRAY(element_t, shared, TILE * PITCH);
  const tile_t tile = tile_of_block(frame);
  if (genie_source_has_groups(frame)) {
    load_groups(frame, &tile, shared);
  } else {
    load_elements(frame, &tile, shared);
  }
  block_barrier();
  if (genie_result_has_groups(frame)) {
    store_groups(frame, &tile, shared);
  } else {
    store_elements(frame, &tile, shared);
  }
}
