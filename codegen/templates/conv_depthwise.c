// Depthwise convolution over channels-last images: y[image][i][j][c] = sum over taps of x[image][i'][j'][c] * w[tap][c].
//
// Lanes are channels. A strip of DEPTHWISE_PIXELS outputs of one image row keeps its sums in registers for one vector of
// channels; taps outside the image are skipped. The weight is packed as "depthwise": [tap][channels rounded up to width].
// The grid is image x output rows.
#include "codegen/templates/lanes.h"

enum { DEPTHWISE_PIXELS = GENIE_VECTOR_BYTES == 64 ? 7 : 4 };

i64 genie_channels(const frame_t *frame);
i64 genie_x_size0(const frame_t *frame);
i64 genie_x_size1(const frame_t *frame);
i64 genie_y_size0(const frame_t *frame);
i64 genie_y_size1(const frame_t *frame);
i64 genie_kernel_size0(const frame_t *frame);
i64 genie_kernel_size1(const frame_t *frame);
i64 genie_stride0(const frame_t *frame);
i64 genie_stride1(const frame_t *frame);
i64 genie_padding0(const frame_t *frame);
i64 genie_padding1(const frame_t *frame);
i64 genie_dilation0(const frame_t *frame);
i64 genie_dilation1(const frame_t *frame);
// Element [image][channel 0][0, 0]; channels have stride 1.
const void *genie_x(const frame_t *frame, i64 image);
i64 genie_x_dtype(const frame_t *frame);
i64 genie_x_stride0(const frame_t *frame);
i64 genie_x_stride1(const frame_t *frame);
const void *genie_weight(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
i64 genie_weight_tap_stride(const frame_t *frame);
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 channel);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum);

// Sums of `pixels` outputs from column `j` of row `i` on, for channels [channel, channel + lanes).
GENIE_INLINE void strip(const frame_t *frame, const char *x, i64 i, i64 j, const int pixels, i64 channel, const i64 lanes,
                        bool is_inside, real_vector_t sums[DEPTHWISE_PIXELS]) {
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

GENIE_INLINE void store_strip(const frame_t *frame, i64 image, i64 pixel, const int pixels, i64 channel, const i64 lanes,
                              const real_vector_t sums[DEPTHWISE_PIXELS]) {
  GENIE_UNROLL
  for (int p = 0; p < pixels; ++p) {
    real_t buffer[LANES] __attribute__((aligned(64)));
    *(real_vector_t *)buffer = sums[p];
    GENIE_VECTORIZE
    for (i64 lane = 0; lane < lanes; ++lane) {
      const i64 c = channel + lane;
      genie_store(frame, image, c, pixel + p, genie_has_bias(frame) ? buffer[lane] + genie_bias(frame, c) : buffer[lane]);
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

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 rows = genie_y_size0(frame), columns = genie_y_size1(frame), stride1 = genie_stride1(frame);
  const i64 reach = (genie_kernel_size1(frame) - 1) * genie_dilation1(frame);
  for (i64 task = begin; task < end; ++task) {
    const i64 image = task / rows, i = task % rows;
    const char *x = genie_x(frame, image);
    for (i64 j = 0; j < columns;) {
      const i64 left = j * stride1 - genie_padding1(frame);
      const bool is_strip = j + DEPTHWISE_PIXELS <= columns;
      const i64 right = left + (is_strip ? (DEPTHWISE_PIXELS - 1) * stride1 : 0) + reach;
      const bool is_inside = left >= 0 && right < genie_x_size1(frame);
      if (is_strip && is_inside) {
        strip_of_channels(frame, x, image, i, j, DEPTHWISE_PIXELS, true);
        j += DEPTHWISE_PIXELS;
      } else if (is_strip) {
        strip_of_channels(frame, x, image, i, j, DEPTHWISE_PIXELS, false);
        j += DEPTHWISE_PIXELS;
      } else {
        strip_of_channels(frame, x, image, i, j, 1, false);
        j += 1;
      }
    }
  }
}
