// Convolution and transposed convolution of any rank up to three spatial dimensions, as a blocked product: rows are
// output pixels, columns the output channels of a group, k runs over (tap, input channel of the group).
//
// A task packs the taps of its pixels into A panels (pixels beyond the edge read zeros) and multiplies them with the
// weight's panels. The grid is (image, group) x blocks of pixels x blocks of channels, channels innermost. The weight
// is packed ([group][ceil(n / width)][tap][channel][width], zeros beyond n), or strided.
//
// scratch, in parts of whole cache lines: A panels [block rows][k] | sums [block rows][block columns] | one B panel
// [block depth][TILE_COLUMNS] | zeros [channels]
#include "codegen/templates/gemm_block.h"
#include "codegen/templates/image.h"

i64 genie_groups(const frame_t *frame);
i64 genie_channels(const frame_t *frame);  // of the input, in a group
i64 genie_is_transposed(const frame_t *frame);
// The weight: packed, or strided with the tap as one dimension.
const void *genie_weight(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
i64 genie_weight_width(const frame_t *frame);  // of its panels, a multiple of TILE_COLUMNS; 0 when it is strided
i64 genie_weight_group_stride(const frame_t *frame);
i64 genie_weight_n_stride(const frame_t *frame);
i64 genie_weight_channel_stride(const frame_t *frame);
i64 genie_weight_stride0(const frame_t *frame);
i64 genie_weight_stride1(const frame_t *frame);
i64 genie_weight_stride2(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 channel);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum);

GENIE_INLINE i64 pixel_count(const frame_t *frame) {
  return genie_y_size0(frame) * genie_y_size1(frame) * genie_y_size2(frame);
}

GENIE_INLINE void store_sum(const frame_t *frame, i64 batch, i64 m, i64 n, real_t sum) {
  const i64 groups = genie_groups(frame), channel = batch % groups * genie_n(frame) + n;
  genie_store(frame, batch / groups, channel, m, genie_has_bias(frame) ? sum + genie_bias(frame, channel) : sum);
}

// B from a strided weight, which may start and end within a tap.
GENIE_INLINE void pack_weight(const frame_t *frame, i64 group, i64 n, i64 k, i64 depth, real_t *panel) {
  const int dtype = (int)genie_weight_dtype(frame);
  const i64 channels = genie_channels(frame), size1 = genie_kernel_size1(frame), size2 = genie_kernel_size2(frame);
  const i64 columns = genie_min_i64(TILE_COLUMNS, genie_n(frame) - n);
  for (i64 end = k + depth; k < end;) {
    const i64 tap = k / channels, channel = k % channels, count = genie_min_i64(channels - channel, end - k);
    const i64 offset = group * genie_weight_group_stride(frame) + n * genie_weight_n_stride(frame) +
                       channel * genie_weight_channel_stride(frame) +
                       tap / (size1 * size2) * genie_weight_stride0(frame) +
                       tap / size2 % size1 * genie_weight_stride1(frame) + tap % size2 * genie_weight_stride2(frame);
    panel_pack(panel, TILE_COLUMNS, columns, count, (const char *)genie_weight(frame) + offset * storage_bytes(dtype),
               dtype, genie_weight_n_stride(frame), genie_weight_channel_stride(frame));
    panel += count * TILE_COLUMNS;
    k += count;
  }
}

GENIE_INLINE const real_t *panel_of_b(const frame_t *frame, i64 batch, i64 n, i64 k, i64 depth, real_t *buffer) {
  const int dtype = (int)genie_weight_dtype(frame);
  const i64 width = genie_weight_width(frame);
  if (width == 0) {
    pack_weight(frame, batch % genie_groups(frame), n, k, depth, buffer);
    return buffer;
  }
  const i64 panel_index = batch % genie_groups(frame) * ceil_div(genie_n(frame), width) + n / width;
  const char *panel = (const char *)genie_weight(frame) +
                      ((panel_index * genie_k(frame) + k) * width + n % width) * storage_bytes(dtype);
  if (storage_bytes(dtype) == REAL_BYTES) {
    return (const real_t *)panel;
  }
  panel_pack(buffer, TILE_COLUMNS, TILE_COLUMNS, depth, panel, dtype, 1, width);
  return buffer;
}

GENIE_INLINE i64 b_step(const frame_t *frame) {
  const i64 width = genie_weight_width(frame);
  return width != 0 && storage_bytes((int)genie_weight_dtype(frame)) == REAL_BYTES ? width : TILE_COLUMNS;
}

// The pixels of a tile: the input coordinate of each at tap 0 and where it lies, in elements from [image][channel][0,
// 0, 0].
typedef struct tile_pixels {
  i64 rows;
  i64 origin[3][TILE_ROWS];
  i64 base[TILE_ROWS];
  bool is_inside;  // every tap of every pixel lies in the input
  bool is_run;     // a whole tile of neighbours in the last dimension
} tile_pixels_t;

GENIE_INLINE bool is_inside(i64 origin, i64 reach, i64 size) {
  return origin >= 0 && origin + reach < size;
}

static void find_pixels(const frame_t *frame, i64 pixel, i64 rows, tile_pixels_t *out) {
  const i64 size1 = genie_y_size1(frame), size2 = genie_y_size2(frame);
  const i64 reach0 = (genie_kernel_size0(frame) - 1) * genie_dilation0(frame);
  const i64 reach1 = (genie_kernel_size1(frame) - 1) * genie_dilation1(frame);
  const i64 reach2 = (genie_kernel_size2(frame) - 1) * genie_dilation2(frame);
  enum { OUTSIDE = -(1 << 30) };
  out->rows = rows;
  out->is_inside = true;
  for (i64 row = rows; row < TILE_ROWS; ++row) {
    out->origin[0][row] = out->origin[1][row] = out->origin[2][row] = OUTSIDE;
    out->base[row] = 0;
  }
  for (i64 row = 0; row < rows; ++row) {
    const i64 y0 = (pixel + row) / (size1 * size2), y1 = (pixel + row) / size2 % size1, y2 = (pixel + row) % size2;
    if (genie_is_transposed(frame)) {
      out->origin[0][row] = y0 + genie_padding0(frame);
      out->origin[1][row] = y1 + genie_padding1(frame);
      out->origin[2][row] = y2 + genie_padding2(frame);
      out->is_inside = false;
      continue;
    }
    const i64 x0 = y0 * genie_stride0(frame) - genie_padding0(frame),
              x1 = y1 * genie_stride1(frame) - genie_padding1(frame);
    const i64 x2 = y2 * genie_stride2(frame) - genie_padding2(frame);
    out->origin[0][row] = x0;
    out->origin[1][row] = x1;
    out->origin[2][row] = x2;
    out->base[row] = x0 * genie_x_stride0(frame) + x1 * genie_x_stride1(frame) + x2 * genie_x_stride2(frame);
    out->is_inside = out->is_inside && is_inside(x0, reach0, genie_x_size0(frame)) &&
                     is_inside(x1, reach1, genie_x_size1(frame)) && is_inside(x2, reach2, genie_x_size2(frame));
  }
  out->is_run = out->is_inside && rows == TILE_ROWS && pixel % size2 + rows <= size2;
}

// The coordinate that `origin` reads at a tap, or -1 outside the input.
GENIE_INLINE i64 input_coordinate(const frame_t *frame, i64 origin, i64 tap, i64 size, i64 stride, i64 dilation) {
  i64 x = origin + tap * dilation;
  if (genie_is_transposed(frame)) {
    x = origin - tap * dilation;
    if (x % stride != 0) {
      return -1;
    }
    x /= stride;
  }
  return x < 0 || x >= size ? -1 : x;
}

// Where the line of dimension 2 begins that each pixel reads at taps (t0, t1); -1 outside.
GENIE_INLINE void find_lines(const frame_t *frame, const tile_pixels_t *tile, i64 t0, i64 t1, i64 lines[TILE_ROWS]) {
  GENIE_VECTORIZE
  for (i64 row = 0; row < TILE_ROWS; ++row) {
    const i64 x0 = input_coordinate(frame, tile->origin[0][row], t0, genie_x_size0(frame), genie_stride0(frame),
                                    genie_dilation0(frame));
    const i64 x1 = input_coordinate(frame, tile->origin[1][row], t1, genie_x_size1(frame), genie_stride1(frame),
                                    genie_dilation1(frame));
    lines[row] = x0 < 0 || x1 < 0 ? -1 : x0 * genie_x_stride0(frame) + x1 * genie_x_stride1(frame);
  }
}

// Where each pixel reads at tap t2 of its line; -1 outside.
GENIE_INLINE void find_taps(const frame_t *frame, const tile_pixels_t *tile, const i64 lines[TILE_ROWS], i64 t2,
                            i64 offsets[TILE_ROWS]) {
  GENIE_VECTORIZE
  for (i64 row = 0; row < TILE_ROWS; ++row) {
    const i64 x2 = input_coordinate(frame, tile->origin[2][row], t2, genie_x_size2(frame), genie_stride2(frame),
                                    genie_dilation2(frame));
    offsets[row] = lines[row] < 0 || x2 < 0 ? -1 : lines[row] + x2 * genie_x_stride2(frame);
  }
}

// The same for a tile whose taps all lie inside.
GENIE_INLINE void shift_taps(const frame_t *frame, const tile_pixels_t *tile, i64 t0, i64 t1, i64 t2,
                             i64 offsets[TILE_ROWS]) {
  const i64 shift = t0 * genie_dilation0(frame) * genie_x_stride0(frame) +
                    t1 * genie_dilation1(frame) * genie_x_stride1(frame) +
                    t2 * genie_dilation2(frame) * genie_x_stride2(frame);
  GENIE_VECTORIZE
  for (i64 row = 0; row < TILE_ROWS; ++row) {
    offsets[row] = tile->base[row] + shift;
  }
}

// One tap of a tile whose rows are contiguous in their channels.
GENIE_INLINE void pack_tap_rows(real_t *panel, i64 height, i64 rows, i64 channels, const char *base, int dtype,
                                const i64 offsets[TILE_ROWS], const real_t *zeros) {
  const void *lines[TILE_ROWS];
  for (i64 row = 0; row < TILE_ROWS; ++row) {
    lines[row] = row < rows && offsets[row] >= 0 ? (const void *)(base + offsets[row] * storage_bytes(dtype)) : zeros;
  }
  i64 row = 0;
  for (; row + 4 <= height; row += 4) {
    pack_four_rows(panel + row, height, channels, dtype, lines[row], lines[row + 1], lines[row + 2], lines[row + 3]);
  }
  for (; row < height; ++row) {
    for (i64 channel = 0; channel < channels; ++channel) {
      panel[channel * height + row] = load_1(lines[row], dtype, channel);
    }
  }
}

// Elements index, index + step .. index + 3 * step, and reads none beyond: steps of 1 and 2 are vectors.
GENIE_INLINE real4_t load_4_apart(const void *line, int dtype, i64 index, i64 step) {
  if (step == 1) {
    return load_4(line, dtype, index);
  }
  if (step == 2) {
    return __builtin_shufflevector(load_4(line, dtype, index), load_4(line, dtype, index + 3), 0, 2, 5, 7);
  }
  return (real4_t){load_1(line, dtype, index), load_1(line, dtype, index + step), load_1(line, dtype, index + 2 * step),
                   load_1(line, dtype, index + 3 * step)};
}

// One tap of a tile of any strides, channel by channel; the rows of a run lie `step` elements apart.
GENIE_INLINE void pack_tap_channels(real_t *panel, i64 height, const tile_pixels_t *tile, i64 channels,
                                    const char *base, int dtype, const i64 offsets[TILE_ROWS], i64 channel_stride,
                                    i64 step, const real_t *zeros) {
  if (tile->is_run) {
    for (i64 channel = 0; channel < channels; ++channel) {
      const char *line = base + (offsets[0] + channel * channel_stride) * storage_bytes(dtype);
      GENIE_UNROLL
      for (i64 row = 0; row + 4 <= TILE_ROWS; row += 4) {
        *(real4_t *)(panel + channel * TILE_ROWS + row) = load_4_apart(line, dtype, row * step, step);
      }
      GENIE_UNROLL
      for (i64 row = TILE_ROWS / 4 * 4; row < TILE_ROWS; ++row) {
        panel[channel * TILE_ROWS + row] = load_1(line, dtype, row * step);
      }
    }
    return;
  }
  const char *lines[TILE_ROWS];
  i64 strides[TILE_ROWS];  // 0 for a row that reads zero
  for (i64 row = 0; row < height; ++row) {
    const bool is_read = row < tile->rows && offsets[row] >= 0;
    lines[row] = is_read ? base + offsets[row] * storage_bytes(dtype) : (const char *)zeros;
    strides[row] = is_read ? channel_stride : 0;
  }
  for (i64 channel = 0; channel < channels; ++channel) {
    for (i64 row = 0; row < height; ++row) {
      panel[channel * height + row] = load_1(lines[row], dtype, channel * strides[row]);
    }
  }
}

// The panel [tap][channel][height] of `rows` pixels from `pixel` on.
static void pack_pixels(const frame_t *frame, i64 image, i64 group, i64 pixel, i64 rows, i64 height,
                        const real_t *zeros, real_t *panel) {
  const i64 channels = genie_channels(frame), channel_stride = genie_x_channel_stride(frame);
  const int dtype = (int)genie_x_dtype(frame);
  const char *base = genie_x(frame, image, group * channels);
  tile_pixels_t tile;
  find_pixels(frame, pixel, rows, &tile);
  for (i64 t0 = 0; t0 < genie_kernel_size0(frame); ++t0) {
    for (i64 t1 = 0; t1 < genie_kernel_size1(frame); ++t1) {
      i64 lines[TILE_ROWS];
      if (!tile.is_inside) {
        find_lines(frame, &tile, t0, t1, lines);
      }
      for (i64 t2 = 0; t2 < genie_kernel_size2(frame); ++t2) {
        i64 offsets[TILE_ROWS];
        if (tile.is_inside) {
          shift_taps(frame, &tile, t0, t1, t2, offsets);
        } else {
          find_taps(frame, &tile, lines, t2, offsets);
        }
        if (channel_stride == 1) {
          pack_tap_rows(panel, height, rows, channels, base, dtype, offsets, zeros);
        } else {
          pack_tap_channels(panel, height, &tile, channels, base, dtype, offsets, channel_stride,
                            genie_stride2(frame) * genie_x_stride2(frame), zeros);
        }
        panel += channels * height;
      }
    }
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 pixels = pixel_count(frame), k_count = genie_k(frame), groups = genie_groups(frame);
  const i64 block_rows = genie_block_rows(frame), block_columns = genie_block_columns(frame);
  const i64 row_blocks = ceil_div(pixels, block_rows), column_blocks = ceil_div(genie_n(frame), block_columns);
  real_t *a_panels = frame->scratch;
  real_t *sums = a_panels + scratch_part(block_rows * k_count);
  real_t *b_buffer = sums + block_rows * block_columns;
  real_t *zeros = b_buffer + genie_block_depth(frame) * TILE_COLUMNS;
  fill_zero(zeros, genie_channels(frame));
  i64 packed_block = -1;
  for (i64 task = begin; task < end; ++task) {
    const i64 block = task / column_blocks, batch = block / row_blocks;
    const i64 m = block % row_blocks * block_rows, n = task % column_blocks * block_columns;
    const i64 rows = genie_min_i64(block_rows, pixels - m), columns = genie_min_i64(block_columns, genie_n(frame) - n);
    if (block != packed_block) {
      for (i64 i = 0; i < rows; i += TILE_ROWS) {
        pack_pixels(frame, batch / groups, batch % groups, m + i, genie_min_i64(TILE_ROWS, rows - i),
                    tile_height(frame, rows, i), zeros, a_panels + i * k_count);
      }
      packed_block = block;
    }
    block_multiply(frame, batch, m, rows, n, columns, a_panels, sums, b_buffer);
  }
}
