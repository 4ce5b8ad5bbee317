// Resampling of up to three spatial dimensions by the nearest element or by linear interpolation in each.
//
// The grid is image x output rows (all but the last dimension) x blocks of channels.
#ifdef GENIE_CUDA
#include "codegen/templates/cuda/pixel.h"
#else
#include "codegen/templates/lanes.h"
#endif
#include "codegen/templates/image.h"

i64 genie_is_linear(const frame_t *frame);
i64 genie_is_centered(const frame_t *frame);  // of the nearest element: that below the pixel's centre
i64 genie_aligns_corners(const frame_t *frame);
i64 genie_channels(const frame_t *frame);
i64 genie_block_channels(const frame_t *frame);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t value);

// The elements of one dimension that an output coordinate reads: (1 - upper) at low, upper at high; in elements of
// memory.
typedef struct source {
  i64 low, high;
  real_t upper;
} source_t;

GENIE_INLINE source_t source_of(const frame_t *frame, i64 y, i64 x_size, i64 y_size, i64 stride) {
  const real_t ratio = (real_t)x_size / (real_t)y_size;
  if (!genie_is_linear(frame)) {
    const real_t shift = genie_is_centered(frame) ? (real_t)0.5 : 0;
    const i64 low = genie_min_i64((i64)(((real_t)y + shift) * ratio), x_size - 1);
    return (source_t){.low = low * stride, .high = low * stride, .upper = 0};
  }
  real_t position = ((real_t)y + (real_t)0.5) * ratio - (real_t)0.5;
  if (genie_aligns_corners(frame)) {
    position = y_size > 1 ? (real_t)y * ((real_t)(x_size - 1) / (real_t)(y_size - 1)) : 0;
  }
  position = position < 0 ? 0 : position;
  const i64 low = genie_min_i64((i64)position, x_size - 1);
  return (source_t){
      .low = low * stride, .high = genie_min_i64(low + 1, x_size - 1) * stride, .upper = position - (real_t)low};
}

GENIE_INLINE real_t blend(real_t low, real_t high, real_t upper) {
  return low * (1 - upper) + high * upper;
}

static void resample_pixel(const frame_t *frame, i64 image, i64 pixel, i64 channel, i64 end) {
  const i64 size1 = genie_y_size1(frame), size2 = genie_y_size2(frame);
  const source_t a =
      source_of(frame, pixel / (size1 * size2), genie_x_size0(frame), genie_y_size0(frame), genie_x_stride0(frame));
  const source_t b = source_of(frame, pixel / size2 % size1, genie_x_size1(frame), size1, genie_x_stride1(frame));
  const source_t c = source_of(frame, pixel % size2, genie_x_size2(frame), size2, genie_x_stride2(frame));
  const void *x = genie_x(frame, image, 0);
  const int dtype = (int)genie_x_dtype(frame);
  GENIE_VECTORIZE
  for (i64 i = channel; i < end; ++i) {
    const i64 offset = i * genie_x_channel_stride(frame);
    real_t value = load_1(x, dtype, offset + a.low + b.low + c.low);
    if (genie_is_linear(frame)) {
      const real_t ll = blend(value, load_1(x, dtype, offset + a.low + b.low + c.high), c.upper);
      const real_t lh = blend(load_1(x, dtype, offset + a.low + b.high + c.low),
                              load_1(x, dtype, offset + a.low + b.high + c.high), c.upper);
      value = blend(ll, lh, b.upper);
      if (genie_x_size0(frame) > 1) {
        const real_t hl = blend(load_1(x, dtype, offset + a.high + b.low + c.low),
                                load_1(x, dtype, offset + a.high + b.low + c.high), c.upper);
        const real_t hh = blend(load_1(x, dtype, offset + a.high + b.high + c.low),
                                load_1(x, dtype, offset + a.high + b.high + c.high), c.upper);
        value = blend(value, blend(hl, hh, b.upper), a.upper);
      }
    }
    genie_store(frame, image, i, pixel, value);
  }
}

#ifdef GENIE_CUDA
void genie_kernel(const frame_t *frame) {
  element_t e;
  if (element_of_thread(frame, &e)) {
    resample_pixel(frame, e.image, e.pixel, e.channel, e.channel + 1);
  }
}
#else
void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 block_channels = genie_block_channels(frame), blocks = ceil_div(genie_channels(frame), block_channels);
  const i64 rows = genie_y_size0(frame) * genie_y_size1(frame), columns = genie_y_size2(frame);
  for (i64 task = begin; task < end; ++task) {
    const i64 channel = task % blocks * block_channels, row = task / blocks % rows, image = task / blocks / rows;
    const i64 last = genie_min_i64(channel + block_channels, genie_channels(frame));
    for (i64 column = 0; column < columns; ++column) {
      resample_pixel(frame, image, row * columns + column, channel, last);
    }
  }
}
#endif
