// Convolution of 3 x 3 taps with stride 1, by minimal filtering (Winograd; Lavin and Gray, arXiv:1509.09308): tiles of
// OUTPUT x OUTPUT pixels, computed from INPUT x INPUT pixels of the input in POINTS products a channel instead of
// 9 * OUTPUT * OUTPUT. The image is channels-last; the weight is packed as "winograd_2" or "winograd_4" (ir/pack.h).
//
// The grid is blocks of tiles, numbered through all images, x blocks of channels, channels innermost. A task transforms
// its tiles, multiplies point by point over the channels and transforms the sums back:
//
//     V[point] = (BT d B)[point]      [tiles][channels]
//     M[point] = V[point] U[point]    [tiles][columns]
//     y        = AT M A               a tile of pixels, [columns]
//
// scratch, in parts of whole cache lines: V [POINTS][tiles][channels] | M [POINTS][tiles][TILE_COLUMNS] | zeros
// [channels]. The point's planes of V and M lie an odd number of lines apart and V's rows have one line more than they
// need, so that what is accessed together lies in different sets of the L1 cache.
#include "codegen/templates/gemm_tile.h"
#include "codegen/templates/image.h"

enum { OUTPUT = WINOGRAD_TILE, INPUT = OUTPUT + 2, POINTS = INPUT * INPUT, LINE = 64 / REAL_BYTES };

i64 genie_images(const frame_t *frame);
i64 genie_channels(const frame_t *frame);
i64 genie_n(const frame_t *frame);
// Tiles of a task and the room for them, which is up to TILE_ROWS - 1 more; columns of a task, a multiple of
// TILE_COLUMNS; steps of k of a pass.
i64 genie_block_tiles(const frame_t *frame);
i64 genie_block_room(const frame_t *frame);
i64 genie_block_columns(const frame_t *frame);
i64 genie_block_depth(const frame_t *frame);
i64 genie_tile_height(const frame_t *frame);  // of the register tile, 1 to TILE_ROWS
const void *genie_weight(const frame_t *frame);
i64 genie_weight_width(const frame_t *frame);  // of its panels, a multiple of TILE_COLUMNS
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 channel);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum);

GENIE_INLINE i64 odd_lines(i64 elements) {
  return (ceil_div(elements, LINE) | 1) * LINE;
}

GENIE_INLINE i64 v_row(const frame_t *frame) {
  return scratch_part(genie_channels(frame)) + LINE;
}

GENIE_INLINE i64 v_plane(const frame_t *frame) {
  return odd_lines(genie_block_room(frame) * v_row(frame));
}

GENIE_INLINE i64 m_plane(const frame_t *frame) {
  return odd_lines(genie_block_room(frame) * TILE_COLUMNS);
}

//===-- The transforms of one dimension ---------------------------------------------------------------------------===//

// F(2, 3) evaluates at 0, 1, -1 and infinity. F(4, 3) does at 0, +-sqrt(1/2), +-sqrt(2) and infinity, where its error
// is a fourth of that at the customary 0, +-1, +-2.
#if WINOGRAD_TILE == 4
#define ROOT_HALF ((real_t)0.70710678118654752440)
#define ROOT_TWO ((real_t)1.41421356237309504880)
#endif

GENIE_INLINE void transform_input(const real_vector_t d[INPUT], real_vector_t v[INPUT]) {
#if WINOGRAD_TILE == 2
  v[0] = d[0] - d[2];
  v[1] = d[1] + d[2];
  v[2] = d[2] - d[1];
  v[3] = d[3] - d[1];
#else
  const real_vector_t even0 = d[4] - 2 * d[2], odd0 = d[3] - 2 * d[1];
  const real_vector_t even1 = d[4] - (real_t)0.5 * d[2], odd1 = d[3] - (real_t)0.5 * d[1];
  v[0] = d[0] + d[4] - (real_t)2.5 * d[2];
  v[1] = even0 + ROOT_HALF * odd0;
  v[2] = even0 - ROOT_HALF * odd0;
  v[3] = even1 + ROOT_TWO * odd1;
  v[4] = even1 - ROOT_TWO * odd1;
  v[5] = d[1] + d[5] - (real_t)2.5 * d[3];
#endif
}

GENIE_INLINE void transform_output(const real_vector_t m[INPUT], real_vector_t y[OUTPUT]) {
#if WINOGRAD_TILE == 2
  y[0] = m[0] + m[1] + m[2];
  y[1] = m[1] - m[2] + m[3];
#else
  const real_vector_t even0 = m[1] + m[2], odd0 = ROOT_HALF * (m[1] - m[2]);
  const real_vector_t even1 = m[3] + m[4], odd1 = ROOT_TWO * (m[3] - m[4]);
  y[0] = m[0] + even0 + even1;
  y[1] = odd0 + odd1;
  y[2] = (real_t)0.5 * even0 + 2 * even1;
  y[3] = (real_t)0.5 * odd0 + 2 * odd1 + m[5];
#endif
}

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

typedef struct place {
  i64 image, row, column;  // of the tile's first output pixel
} place_t;

GENIE_INLINE i64 tile_columns(const frame_t *frame) {
  return ceil_div(genie_y_size2(frame), OUTPUT);
}

GENIE_INLINE i64 tile_count(const frame_t *frame) {
  return ceil_div(genie_y_size1(frame), OUTPUT) * tile_columns(frame);
}

GENIE_INLINE place_t find_tile(const frame_t *frame, i64 tile) {
  const i64 columns = tile_columns(frame), count = tile_count(frame);
  return (place_t){tile / count, tile % count / columns * OUTPUT, tile % columns * OUTPUT};
}

// Where each input pixel of a tile lies; zeros beyond the edge.
static void find_lines(const frame_t *frame, i64 tile, const real_t *zeros, const void *lines[INPUT][INPUT]) {
  const place_t place = find_tile(frame, tile);
  const char *x = genie_x(frame, place.image, 0);
  for (i64 i = 0; i < INPUT; ++i) {
    const i64 row = place.row - genie_padding1(frame) + i;
    const bool is_row = row >= 0 && row < genie_x_size1(frame);
    for (i64 j = 0; j < INPUT; ++j) {
      const i64 column = place.column - genie_padding2(frame) + j;
      const i64 offset = row * genie_x_stride1(frame) + column * genie_x_stride2(frame);
      lines[i][j] = is_row && column >= 0 && column < genie_x_size2(frame)
                        ? (const void *)(x + offset * storage_bytes((int)genie_x_dtype(frame)))
                        : zeros;
    }
  }
}

// BT d B of the channels [channel, channel + lanes) of one tile, to v[point].
GENIE_INLINE void transform_channels(const frame_t *frame, const void *const lines[INPUT][INPUT], i64 channel,
                                     i64 lanes, real_t *v) {
  const int dtype = (int)genie_x_dtype(frame);
  real_vector_t half[INPUT][INPUT];  // [column][row of BT d]
  GENIE_UNROLL
  for (int j = 0; j < INPUT; ++j) {
    real_vector_t d[INPUT];
    GENIE_UNROLL
    for (int i = 0; i < INPUT; ++i) {
      d[i] = load_partial(lines[i][j], dtype, channel, lanes);
    }
    transform_input(d, half[j]);
  }
  GENIE_UNROLL
  for (int i = 0; i < INPUT; ++i) {
    real_vector_t d[INPUT], out[INPUT];
    GENIE_UNROLL
    for (int j = 0; j < INPUT; ++j) {
      d[j] = half[j][i];
    }
    transform_input(d, out);
    GENIE_UNROLL
    for (int j = 0; j < INPUT; ++j) {
      *(real_vector_t *)(v + (i * INPUT + j) * v_plane(frame) + channel) = out[j];
    }
  }
}

static __attribute__((noinline)) void transform_tiles(const frame_t *frame, i64 first, i64 count, const real_t *zeros,
                                                      real_t *v) {
  const i64 channels = genie_channels(frame);
  for (i64 tile = 0; tile < count; ++tile) {
    const void *lines[INPUT][INPUT];
    find_lines(frame, first + tile, zeros, lines);
    real_t *row = v + tile * v_row(frame);
    i64 channel = 0;
#pragma clang loop unroll(disable)
    for (; channel + LANES <= channels; channel += LANES) {
      transform_channels(frame, lines, channel, LANES, row);
    }
    if (channel < channels) {
      transform_channels(frame, lines, channel, channels - channel, row);
    }
  }
}

//===-- Products --------------------------------------------------------------------------------------------------===//

#define HEIGHT_CASE(height)                                                                                   \
  case height:                                                                                                \
    if (height <= TILE_ROWS) {                                                                                \
      tile_multiply_rows(height, 2, depth, v, v_row(frame), 1, u, genie_weight_width(frame), m, TILE_COLUMNS, \
                         is_first);                                                                           \
    }                                                                                                         \
    break;

static __attribute__((noinline)) void multiply(const frame_t *frame, i64 depth, const real_t *v, const real_t *u,
                                               real_t *m, bool is_first) {
  switch (genie_tile_height(frame)) {
    HEIGHT_CASE(1)
    HEIGHT_CASE(2)
    HEIGHT_CASE(3)
    HEIGHT_CASE(4)
    HEIGHT_CASE(5)
    HEIGHT_CASE(6)
    HEIGHT_CASE(7)
    HEIGHT_CASE(8)
    HEIGHT_CASE(9)
    HEIGHT_CASE(10)
    HEIGHT_CASE(11)
    HEIGHT_CASE(12)
    default:
      break;
  }
}

// M of columns [n, n + TILE_COLUMNS). Rows beyond `rows`, up to a whole register tile, are computed from what is there.
GENIE_INLINE void multiply_points(const frame_t *frame, i64 n, i64 rows, const real_t *v, real_t *m) {
  const i64 width = genie_weight_width(frame), channels = genie_channels(frame), height = genie_tile_height(frame);
  const real_t *u = (const real_t *)genie_weight(frame) + n / width * POINTS * channels * width + n % width;
  for (i64 point = 0; point < POINTS; ++point) {
    for (i64 k = 0; k < channels; k += genie_block_depth(frame)) {
      const i64 depth = genie_min_i64(genie_block_depth(frame), channels - k);
      for (i64 i = 0; i < rows; i += height) {
        multiply(frame, depth, v + point * v_plane(frame) + i * v_row(frame) + k, u,
                 m + point * m_plane(frame) + i * TILE_COLUMNS, k == 0);
      }
      u += depth * width;
    }
  }
}

//===-- Results ---------------------------------------------------------------------------------------------------===//

// AT M A of one vector of columns, to sums[pixel].
GENIE_INLINE void transform_sums(const frame_t *frame, const real_t *m, real_t *sums) {
  real_vector_t half[INPUT][OUTPUT];  // [column][row of AT M]
  GENIE_UNROLL
  for (int j = 0; j < INPUT; ++j) {
    real_vector_t line[INPUT];
    GENIE_UNROLL
    for (int i = 0; i < INPUT; ++i) {
      line[i] = *(const real_vector_t *)(m + (i * INPUT + j) * m_plane(frame));
    }
    transform_output(line, half[j]);
  }
  GENIE_UNROLL
  for (int i = 0; i < OUTPUT; ++i) {
    real_vector_t line[INPUT], out[OUTPUT];
    GENIE_UNROLL
    for (int j = 0; j < INPUT; ++j) {
      line[j] = half[j][i];
    }
    transform_output(line, out);
    GENIE_UNROLL
    for (int j = 0; j < OUTPUT; ++j) {
      *(real_vector_t *)(sums + (i * OUTPUT + j) * TILE_COLUMNS) = out[j];
    }
  }
}

GENIE_INLINE void store_pixel(const frame_t *frame, i64 image, i64 n, i64 columns, i64 pixel, const real_t *sums) {
  GENIE_VECTORIZE
  for (i64 j = 0; j < columns; ++j) {
    genie_store(frame, image, n + j, pixel, genie_has_bias(frame) ? sums[j] + genie_bias(frame, n + j) : sums[j]);
  }
}

static __attribute__((noinline)) void store_tiles(const frame_t *frame, i64 first, i64 count, i64 n, const real_t *m) {
  const i64 columns = genie_min_i64(TILE_COLUMNS, genie_n(frame) - n);
  for (i64 tile = 0; tile < count; ++tile) {
    const place_t place = find_tile(frame, first + tile);
    real_t sums[OUTPUT * OUTPUT * TILE_COLUMNS] __attribute__((aligned(64)));
    transform_sums(frame, m + tile * TILE_COLUMNS, sums);
    if (columns > LANES) {
      transform_sums(frame, m + tile * TILE_COLUMNS + LANES, sums + LANES);
    }
    for (i64 i = 0; i < genie_min_i64(OUTPUT, genie_y_size1(frame) - place.row); ++i) {
      for (i64 j = 0; j < genie_min_i64(OUTPUT, genie_y_size2(frame) - place.column); ++j) {
        const i64 pixel = (place.row + i) * genie_y_size2(frame) + place.column + j;
        const real_t *line = sums + (i * OUTPUT + j) * TILE_COLUMNS;
        if (columns == TILE_COLUMNS) {
          store_pixel(frame, place.image, n, TILE_COLUMNS, pixel, line);
        } else {
          store_pixel(frame, place.image, n, columns, pixel, line);
        }
      }
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 tiles = genie_images(frame) * tile_count(frame), block_tiles = genie_block_tiles(frame);
  const i64 block_columns = genie_block_columns(frame), column_blocks = ceil_div(genie_n(frame), block_columns);
  real_t *v = frame->scratch;
  real_t *m = v + POINTS * v_plane(frame);
  real_t *zeros = m + POINTS * m_plane(frame);
  fill_zero(zeros, genie_channels(frame));
  i64 transformed = -1;
  for (i64 task = begin; task < end; ++task) {
    const i64 block = task / column_blocks, first = block * block_tiles;
    const i64 count = genie_min_i64(block_tiles, tiles - first);
    if (block != transformed) {
      transform_tiles(frame, first, count, zeros, v);
      transformed = block;
    }
    const i64 n = task % column_blocks * block_columns;
    for (i64 j = n; j < genie_min_i64(n + block_columns, genie_n(frame)); j += TILE_COLUMNS) {
      multiply_points(frame, j, count, v, m);
      store_tiles(frame, first, count, j, m);
    }
  }
}
