// Largest or mean of a window for every output pixel and channel, in up to three spatial dimensions.
//
// The grid is image x output rows (all but the last dimension) x blocks of channels. Where channels are contiguous,
// lanes are channels.
#ifdef GENIE_CUDA
#include "codegen/templates/cuda/pixel.h"
#else
#include "codegen/templates/lanes.h"
#endif
#include "codegen/templates/image.h"

enum { POOL_MAX = 0, POOL_MEAN = 1, POOL_ADAPTIVE = 2 };

i64 genie_kind(const frame_t *frame);
i64 genie_includes_padding(const frame_t *frame);  // of POOL_MEAN: padding counts as elements
i64 genie_channels(const frame_t *frame);
i64 genie_block_channels(const frame_t *frame);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t value);

// The taps of one dimension: coordinates first, first + step, .. below end. `extent` counts them with the padding.
typedef struct window {
  i64 first, end, step, extent;
} window_t;

GENIE_INLINE window_t window_of(i64 kind, i64 y, i64 x_size, i64 y_size, i64 kernel, i64 stride, i64 padding,
                                i64 dilation) {
  if (kind == POOL_ADAPTIVE) {
    const i64 first = y * x_size / y_size, end = ceil_div((y + 1) * x_size, y_size);
    return (window_t){.first = first, .end = end, .step = 1, .extent = end - first};
  }
  i64 first = y * stride - padding;
  const i64 end = first + (kernel - 1) * dilation + 1;
  const i64 extent = genie_min_i64(end, x_size + padding) - first;
  if (first < 0) {
    first += ceil_div(-first, dilation) * dilation;
  }
  return (window_t){.first = first, .end = genie_min_i64(end, x_size), .step = dilation, .extent = extent};
}

GENIE_INLINE i64 tap_count(window_t w) {
  return w.end <= w.first ? 0 : ceil_div(w.end - w.first, w.step);
}

GENIE_INLINE real_t start_value(i64 kind) {
  return kind == POOL_MAX ? (real_t)-__builtin_inf() : 0;
}

// What the sum of a window is multiplied with.
GENIE_INLINE real_t window_factor(const frame_t *frame, const window_t w[3]) {
  const i64 kind = genie_kind(frame);
  if (kind == POOL_MAX) {
    return 1;
  }
  const i64 taps = tap_count(w[0]) * tap_count(w[1]) * tap_count(w[2]);
  const i64 count = kind == POOL_MEAN && genie_includes_padding(frame) ? w[0].extent * w[1].extent * w[2].extent : taps;
  return 1 / (real_t)count;
}

GENIE_INLINE void pool_channel(const frame_t *frame, i64 image, i64 pixel, const window_t w[3], const char *x,
                               i64 channel) {
  const i64 kind = genie_kind(frame);
  const int dtype = (int)genie_x_dtype(frame);
  real_t value = start_value(kind);
  for (i64 a = w[0].first; a < w[0].end; a += w[0].step) {
    for (i64 b = w[1].first; b < w[1].end; b += w[1].step) {
      for (i64 c = w[2].first; c < w[2].end; c += w[2].step) {
        const real_t v = load_1(x, dtype,
                                a * genie_x_stride0(frame) + b * genie_x_stride1(frame) + c * genie_x_stride2(frame) +
                                    channel * genie_x_channel_stride(frame));
        value = kind != POOL_MAX ? value + v : v > value || v != v ? v : value;
      }
    }
  }
  genie_store(frame, image, channel, pixel, kind == POOL_MAX ? value : value * window_factor(frame, w));
}

// The windows of a pixel's dimensions.
GENIE_INLINE void find_windows(const frame_t *frame, i64 pixel, window_t w[3]) {
  const i64 kind = genie_kind(frame), size1 = genie_y_size1(frame), size2 = genie_y_size2(frame);
  w[0] = window_of(kind, pixel / (size1 * size2), genie_x_size0(frame), genie_y_size0(frame), genie_kernel_size0(frame),
                   genie_stride0(frame), genie_padding0(frame), genie_dilation0(frame));
  w[1] = window_of(kind, pixel / size2 % size1, genie_x_size1(frame), size1, genie_kernel_size1(frame),
                   genie_stride1(frame), genie_padding1(frame), genie_dilation1(frame));
  w[2] = window_of(kind, pixel % size2, genie_x_size2(frame), size2, genie_kernel_size2(frame), genie_stride2(frame),
                   genie_padding2(frame), genie_dilation2(frame));
}

#ifdef GENIE_CUDA
void genie_kernel(const frame_t *frame) {
  element_t e;
  if (element_of_thread(frame, &e)) {
    window_t w[3];
    find_windows(frame, e.pixel, w);
    pool_channel(frame, e.image, e.pixel, w, genie_x(frame, e.image, 0), e.channel);
  }
}
#else
GENIE_INLINE void pool_lanes(const frame_t *frame, i64 image, i64 pixel, const window_t w[3], const char *x,
                             i64 channel, i64 lanes) {
  const i64 kind = genie_kind(frame);
  const int dtype = (int)genie_x_dtype(frame);
  real_vector_t value = start_value(kind);
  for (i64 a = w[0].first; a < w[0].end; a += w[0].step) {
    for (i64 b = w[1].first; b < w[1].end; b += w[1].step) {
      for (i64 c = w[2].first; c < w[2].end; c += w[2].step) {
        const i64 offset = a * genie_x_stride0(frame) + b * genie_x_stride1(frame) + c * genie_x_stride2(frame);
        const real_vector_t v = load_partial(x, dtype, offset + channel, lanes);
        value = kind != POOL_MAX ? value + v : ((v > value) | (v != v)) ? v : value;
      }
    }
  }
  real_t buffer[LANES] __attribute__((aligned(64)));
  *(real_vector_t *)buffer = kind == POOL_MAX ? value : value * window_factor(frame, w);
  GENIE_VECTORIZE
  for (i64 lane = 0; lane < lanes; ++lane) {
    genie_store(frame, image, channel + lane, pixel, buffer[lane]);
  }
}

static void pool_pixel(const frame_t *frame, i64 image, i64 pixel, i64 channel, i64 end) {
  window_t w[3];
  find_windows(frame, pixel, w);
  const char *x = genie_x(frame, image, 0);
  if (genie_x_channel_stride(frame) == 1) {
#pragma clang loop unroll(disable)
    for (; channel + LANES <= end; channel += LANES) {
      pool_lanes(frame, image, pixel, w, x, channel, LANES);
    }
    if (channel < end) {
      pool_lanes(frame, image, pixel, w, x, channel, end - channel);
    }
    return;
  }
#pragma clang loop unroll(disable)
  for (; channel < end; ++channel) {
    pool_channel(frame, image, pixel, w, x, channel);
  }
}

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 block_channels = genie_block_channels(frame), blocks = ceil_div(genie_channels(frame), block_channels);
  const i64 rows = genie_y_size0(frame) * genie_y_size1(frame), columns = genie_y_size2(frame);
  for (i64 task = begin; task < end; ++task) {
    const i64 channel = task % blocks * block_channels, row = task / blocks % rows, image = task / blocks / rows;
    const i64 last = genie_min_i64(channel + block_channels, genie_channels(frame));
    for (i64 column = 0; column < columns; ++column) {
      pool_pixel(frame, image, row * columns + column, channel, last);
    }
  }
}
#endif
