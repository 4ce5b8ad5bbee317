// Depthwise convolution: y[image][c][i][j] = sum over taps of x[image][c][i'][j'] * w[tap][c]. Taps outside the image
// are skipped. The grid is image x output rows.
//
// Of channels-last images lanes are channels: a strip of DEPTHWISE_PIXELS outputs keeps its sums in registers for one
// vector of channels; the weight is packed as "depthwise": [tap][channels rounded up to width]. Of other images lanes
// are pixels of a row, whose sums are in scratch.
//
// scratch: sums [pixels of an output row]
#include "codegen/templates/depthwise_hooks.h"
#include "codegen/templates/lanes.h"

enum { DEPTHWISE_PIXELS = GENIE_VECTOR_BYTES == 64 ? 7 : 4 };

i64 genie_channels(const frame_t *frame);

// Sums of `pixels` outputs from column `j` of row `i` on, for channels [channel, channel + lanes).
GENIE_INLINE void strip(const frame_t *frame, const char *x, i64 i, i64 j, const int pixels, i64 channel,
                        const i64 lanes, bool is_inside, real_vector_t sums[DEPTHWISE_PIXELS]) {
  const int x_dtype = (int)genie_x_dtype(frame), weight_dtype = (int)genie_weight_dtype(frame);
  const i64 stride1 = genie_stride1(frame), left = j * stride1 - genie_padding1(frame);
  GENIE_UNROLL
  for (int p = 0; p < pixels; ++p) {
    sums[p] = 0;
  }
  for (i64 t0 = 0; t0 < genie_kernel_size0(frame); ++t0) {
    const i64 row = i * genie_stride0(frame) - genie_padding0(frame) + t0 * genie_dilation0(frame);
    if (row < 0 || row >= genie_x_size0(frame)) {
      continue;
    }
    for (i64 t1 = 0; t1 < genie_kernel_size1(frame); ++t1) {
      const i64 tap = t0 * genie_kernel_size1(frame) + t1, first = left + t1 * genie_dilation1(frame);
      const real_vector_t weight =
          load_lanes(genie_weight(frame), weight_dtype, tap * genie_weight_tap_stride(frame) + channel);
      const i64 offset = row * genie_x_stride0(frame) + channel;
      GENIE_UNROLL
      for (int p = 0; p < pixels; ++p) {
        const i64 column = first + p * stride1;
        if (is_inside || (column >= 0 && column < genie_x_size1(frame))) {
          sums[p] += weight * load_partial(x, x_dtype, offset + column * genie_x_stride1(frame), lanes);
        }
      }
    }
  }
}

GENIE_INLINE void store_strip(const frame_t *frame, i64 image, i64 pixel, const int pixels, i64 channel,
                              const i64 lanes, const real_vector_t sums[DEPTHWISE_PIXELS]) {
  GENIE_UNROLL
  for (int p = 0; p < pixels; ++p) {
    real_t buffer[LANES] __attribute__((aligned(64)));
    *(real_vector_t *)buffer = sums[p];
    GENIE_VECTORIZE
    for (i64 lane = 0; lane < lanes; ++lane) {
      const i64 c = channel + lane;
      genie_store(frame, image, c, pixel + p,
                  genie_has_bias(frame) ? buffer[lane] + genie_bias(frame, c) : buffer[lane]);
    }
  }
}

GENIE_INLINE void strip_of_channels(const frame_t *frame, const char *x, i64 image, i64 i, i64 j, const int pixels,
                                    bool is_inside) {
  const i64 channels = genie_channels(frame), pixel = i * genie_y_size1(frame) + j;
  real_vector_t sums[DEPTHWISE_PIXELS];
  i64 channel = 0;
#pragma clang loop unroll(disable)
  for (; channel + LANES <= channels; channel += LANES) {
    strip(frame, x, i, j, pixels, channel, LANES, is_inside, sums);
    store_strip(frame, image, pixel, pixels, channel, LANES, sums);
  }
  if (channel < channels) {
    strip(frame, x, i, j, pixels, channel, channels - channel, is_inside, sums);
    store_strip(frame, image, pixel, pixels, channel, channels - channel, sums);
  }
}

// A row of outputs of one channel, tap by tap.
GENIE_INLINE void row_of_channel(const frame_t *frame, const char *x, i64 image, i64 i, i64 channel,
                                 real_t *restrict sums) {
  const int x_dtype = (int)genie_x_dtype(frame), weight_dtype = (int)genie_weight_dtype(frame);
  const i64 columns = genie_y_size1(frame), stride1 = genie_stride1(frame), size1 = genie_kernel_size1(frame);
  fill_zero(sums, columns);
  for (i64 tap = 0; tap < genie_kernel_size0(frame) * size1; ++tap) {
    const i64 row = i * genie_stride0(frame) - genie_padding0(frame) + tap / size1 * genie_dilation0(frame);
    const i64 left = tap % size1 * genie_dilation1(frame) - genie_padding1(frame);
    if (row < 0 || row >= genie_x_size0(frame)) {
      continue;
    }
    const real_t weight = load_1(genie_weight(frame), weight_dtype,
                                 tap * genie_weight_tap_stride(frame) + channel * genie_weight_channel_stride(frame));
    const i64 first = left < 0 ? ceil_div(-left, stride1) : 0;
    const i64 end =
        genie_min_i64(columns, left < genie_x_size1(frame) ? (genie_x_size1(frame) - 1 - left) / stride1 + 1 : 0);
    const i64 offset =
        channel * genie_x_channel_stride(frame) + row * genie_x_stride0(frame) + left * genie_x_stride1(frame);
    GENIE_VECTORIZE
    for (i64 j = first; j < end; ++j) {
      sums[j] += weight * load_1(x, x_dtype, offset + j * stride1 * genie_x_stride1(frame));
    }
  }
  GENIE_VECTORIZE
  for (i64 j = 0; j < columns; ++j) {
    genie_store(frame, image, channel, i * columns + j,
                genie_has_bias(frame) ? sums[j] + genie_bias(frame, channel) : sums[j]);
  }
}

GENIE_INLINE void row_of_channels_last(const frame_t *frame, const char *x, i64 image, i64 i) {
  const i64 columns = genie_y_size1(frame), stride1 = genie_stride1(frame);
  const i64 reach = (genie_kernel_size1(frame) - 1) * genie_dilation1(frame);
  for (i64 j = 0; j < columns;) {
    const i64 left = j * stride1 - genie_padding1(frame);
    const bool is_strip = j + DEPTHWISE_PIXELS <= columns;
    const bool is_inside = left >= 0 && left + (DEPTHWISE_PIXELS - 1) * stride1 + reach < genie_x_size1(frame);
    if (is_strip && is_inside) {
      strip_of_channels(frame, x, image, i, j, DEPTHWISE_PIXELS, true);
    } else if (is_strip) {
      strip_of_channels(frame, x, image, i, j, DEPTHWISE_PIXELS, false);
    } else {
      strip_of_channels(frame, x, image, i, j, 1, false);
    }
    j += is_strip ? DEPTHWISE_PIXELS : 1;
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 rows = genie_y_size0(frame);
  for (i64 task = begin; task < end; ++task) {
    const i64 image = task / rows, i = task % rows;
    const char *x = genie_x(frame, image);
    if (genie_x_channel_stride(frame) == 1) {
      row_of_channels_last(frame, x, image, i);
      continue;
    }
    for (i64 channel = 0; channel < genie_channels(frame); ++channel) {
      row_of_channel(frame, x, image, i, channel, frame->scratch);
    }
  }
}
