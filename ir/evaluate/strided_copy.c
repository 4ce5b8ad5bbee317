// The copy behind every view, concat and pad.
#include <string.h>

#include "ir/evaluate/evaluate_op.h"

enum { TILE = 32, SQUARE = 16 };

// A copy without dimensions of size 1, and with dimensions merged that lie together on both sides.
typedef struct box {
  int rank;
  int64_t dims[GENIE_IR_MAX_RANK], source[GENIE_IR_MAX_RANK], target[GENIE_IR_MAX_RANK];
} box_t;

static box_t simplify(int rank, const int64_t *dims, const int64_t *source, const int64_t *target) {
  box_t box = {0};
  for (int i = 0; i < rank; ++i) {
    const int last = box.rank - 1;
    if (dims[i] == 1) {
      continue;
    }
    if (box.rank > 0 && box.source[last] == source[i] * dims[i] && box.target[last] == target[i] * dims[i]) {
      box.dims[last] *= dims[i];
      box.source[last] = source[i];
      box.target[last] = target[i];
    } else {
      box.dims[box.rank] = dims[i];
      box.source[box.rank] = source[i];
      box.target[box.rank++] = target[i];
    }
  }
  return box;
}

#define COPY_ROW(type)                                                                 \
  do {                                                                                 \
    for (int64_t i = 0; i < count; ++i) {                                              \
      ((type *)target)[i * target_stride] = ((const type *)source)[i * source_stride]; \
    }                                                                                  \
  } while (0)

static void copy_row(int64_t count, size_t bytes, const char *source, int64_t source_stride, char *target,
                     int64_t target_stride) {
  if (source_stride == 1 && target_stride == 1) {
    memcpy(target, source, (size_t)count * bytes);
    return;
  }
  switch (bytes) {
    case 1:
      COPY_ROW(uint8_t);
      break;
    case 2:
      COPY_ROW(uint16_t);
      break;
    case 4:
      COPY_ROW(uint32_t);
      break;
    default:
      COPY_ROW(uint64_t);
      break;
  }
}

#define TRANSPOSE_SQUARE(type)                                                  \
  do {                                                                          \
    type square[SQUARE][SQUARE];                                                \
    for (int j = 0; j < SQUARE; ++j) {                                          \
      const type *row = (const type *)source + j * source_stride;               \
      for (int i = 0; i < SQUARE; ++i) {                                        \
        square[i][j] = row[i];                                                  \
      }                                                                         \
    }                                                                           \
    for (int i = 0; i < SQUARE; ++i) {                                          \
      memcpy((type *)target + i * target_stride, square[i], sizeof(square[i])); \
    }                                                                           \
  } while (0)

// Reads and writes whole cache lines, each once: sizes that are powers of two would otherwise evict each other.
static void transpose_square(size_t bytes, const char *source, int64_t source_stride, char *target,
                             int64_t target_stride) {
  switch (bytes) {
    case 1:
      TRANSPOSE_SQUARE(uint8_t);
      break;
    case 2:
      TRANSPOSE_SQUARE(uint16_t);
      break;
    case 4:
      TRANSPOSE_SQUARE(uint32_t);
      break;
    default:
      TRANSPOSE_SQUARE(uint64_t);
      break;
  }
}

// The last two dimensions in tiles, so that neither side leaves the cache.
static void copy_plane(const box_t *box, size_t bytes, const char *source, char *target) {
  const int a = box->rank - 2;
  const int b = box->rank - 1;
  const bool is_transpose = box->source[a] == 1 && box->target[b] == 1;
  const int64_t tile = is_transpose ? SQUARE : TILE;
  for (int64_t i = 0; i < box->dims[a]; i += tile) {
    const int64_t end = i + tile < box->dims[a] ? i + tile : box->dims[a];
    for (int64_t j = 0; j < box->dims[b]; j += tile) {
      const int64_t count = j + tile < box->dims[b] ? tile : box->dims[b] - j;
      if (is_transpose && end - i == SQUARE && count == SQUARE) {
        transpose_square(bytes, source + (i + j * box->source[b]) * (int64_t)bytes, box->source[b],
                         target + (i * box->target[a] + j) * (int64_t)bytes, box->target[a]);
        continue;
      }
      for (int64_t k = i; k < end; ++k) {
        copy_row(count, bytes, source + (k * box->source[a] + j * box->source[b]) * (int64_t)bytes, box->source[b],
                 target + (k * box->target[a] + j * box->target[b]) * (int64_t)bytes, box->target[b]);
      }
    }
  }
}

static void copy_box(const box_t *box, int dim, size_t bytes, const char *source, char *target) {
  const int remaining = box->rank - dim;
  if (remaining == 0) {
    memcpy(target, source, bytes);
  } else if (remaining == 1) {
    copy_row(box->dims[dim], bytes, source, box->source[dim], target, box->target[dim]);
  } else if (remaining == 2 && (box->source[dim + 1] != 1 || box->target[dim + 1] != 1)) {
    copy_plane(box, bytes, source, target);
  } else {
    for (int64_t i = 0; i < box->dims[dim]; ++i) {
      copy_box(box, dim + 1, bytes, source + i * box->source[dim] * (int64_t)bytes,
               target + i * box->target[dim] * (int64_t)bytes);
    }
  }
}

// Moves the dimension that is contiguous in the source next to the last, where copy_plane() tiles both.
static void bring_together(box_t *box) {
  int contiguous = box->rank - 1;
  for (int i = 0; i < box->rank; ++i) {
    if (box->source[i] == 1) {
      contiguous = i;
    }
  }
  for (int i = contiguous; i < box->rank - 2; ++i) {
    const int64_t dim = box->dims[i];
    const int64_t source = box->source[i];
    const int64_t target = box->target[i];
    box->dims[i] = box->dims[i + 1];
    box->source[i] = box->source[i + 1];
    box->target[i] = box->target[i + 1];
    box->dims[i + 1] = dim;
    box->source[i + 1] = source;
    box->target[i + 1] = target;
  }
}

void genie_strided_copy(int rank, const int64_t *dims, size_t element_bytes, const void *source,
                        const int64_t *source_strides, void *target, const int64_t *target_strides) {
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 0) {
      return;
    }
  }
  box_t box = simplify(rank, dims, source_strides, target_strides);
  bring_together(&box);
  copy_box(&box, 0, element_bytes, source, target);
}

void genie_host_tensor_strides(const genie_host_tensor_t *tensor, int64_t *out_strides) {
  int64_t stride = 1;
  for (int i = tensor->rank - 1; i >= 0; --i) {
    out_strides[i] = stride;
    stride *= tensor->dims[i];
  }
}
