// The hooks of convolutions, and where a pixel of the result reads the input at a tap.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_IMAGE_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_IMAGE_H_

#include "codegen/templates/cuda/device.h"
#include "codegen/templates/image.h"
#include "codegen/templates/lanes.h"

i64 genie_groups(const frame_t *frame);
i64 genie_is_transposed(const frame_t *frame);
i64 genie_channels(const frame_t *frame);  // of the input, of a group
i64 genie_n(const frame_t *frame);         // channels of the result, of a group
// The weight of group 0, channel 0 of the result and of the input, tap 0.
const void *genie_weight(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
i64 genie_weight_group_stride(const frame_t *frame);
i64 genie_weight_n_stride(const frame_t *frame);
i64 genie_weight_channel_stride(const frame_t *frame);
i64 genie_weight_stride0(const frame_t *frame);
i64 genie_weight_stride1(const frame_t *frame);
i64 genie_weight_stride2(const frame_t *frame);
i64 genie_x_is_vector(const frame_t *frame);       // channels are whole and aligned groups of 16 bytes
i64 genie_weight_is_vector(const frame_t *frame);  // as above of the weight's
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 channel);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum);

// A pixel of the result: the input's coordinates at tap 0, of a transposed convolution before the stride divides them.
typedef struct origin {
  int at[3];
  bool is_inside;  // there is such a pixel
} origin_t;

typedef struct tap {
  int at[3];
} tap_t;

GENIE_INLINE i64 pixel_count(const frame_t *frame) {
  return genie_y_size0(frame) * genie_y_size1(frame) * genie_y_size2(frame);
}

GENIE_INLINE origin_t origin_of(const frame_t *frame, i64 pixel) {
  const uint32_t p = (uint32_t)pixel, size1 = (uint32_t)genie_y_size1(frame), size2 = (uint32_t)genie_y_size2(frame);
  const int y[3] = {(int)(p / (size1 * size2)), (int)(p / size2 % size1), (int)(p % size2)};
  const int stride[3] = {(int)genie_stride0(frame), (int)genie_stride1(frame), (int)genie_stride2(frame)};
  const int padding[3] = {(int)genie_padding0(frame), (int)genie_padding1(frame), (int)genie_padding2(frame)};
  origin_t origin = {.is_inside = pixel < pixel_count(frame)};
  GENIE_UNROLL
  for (int d = 0; d < 3; ++d) {
    origin.at[d] = genie_is_transposed(frame) ? y[d] + padding[d] : y[d] * stride[d] - padding[d];
  }
  return origin;
}

GENIE_INLINE tap_t tap_of(const frame_t *frame, int index) {
  const int size1 = (int)genie_kernel_size1(frame), size2 = (int)genie_kernel_size2(frame);
  return (tap_t){{index / (size1 * size2), index / size2 % size1, index % size2}};
}

GENIE_INLINE int tap_count(const frame_t *frame) {
  return (int)(genie_kernel_size0(frame) * genie_kernel_size1(frame) * genie_kernel_size2(frame));
}

// The element that `origin` reads at a tap, from [image][channel][0, 0, 0]; negative outside the input.
GENIE_INLINE i64 offset_of(const frame_t *frame, const origin_t *origin, tap_t tap) {
  const int size[3] = {(int)genie_x_size0(frame), (int)genie_x_size1(frame), (int)genie_x_size2(frame)};
  const int stride[3] = {(int)genie_stride0(frame), (int)genie_stride1(frame), (int)genie_stride2(frame)};
  const int dilation[3] = {(int)genie_dilation0(frame), (int)genie_dilation1(frame), (int)genie_dilation2(frame)};
  const i64 x_stride[3] = {genie_x_stride0(frame), genie_x_stride1(frame), genie_x_stride2(frame)};
  i64 offset = 0;
  bool is_inside = origin->is_inside;
  GENIE_UNROLL
  for (int d = 0; d < 3; ++d) {
    int x = origin->at[d] + tap.at[d] * dilation[d];
    if (genie_is_transposed(frame)) {
      x = origin->at[d] - tap.at[d] * dilation[d];
      is_inside = is_inside && x % stride[d] == 0;
      x /= stride[d];
    }
    is_inside = is_inside && x >= 0 && x < size[d];
    offset += x * x_stride[d];
  }
  return is_inside ? offset : -1;
}

GENIE_INLINE i64 weight_offset(const frame_t *frame, i64 group, tap_t tap) {
  return group * genie_weight_group_stride(frame) + tap.at[0] * genie_weight_stride0(frame) +
         tap.at[1] * genie_weight_stride1(frame) + tap.at[2] * genie_weight_stride2(frame);
}

// What a block makes: `rows` pixels from `pixel` on for `columns` channels of a group from `n` on, columns innermost.
typedef struct patch {
  i64 image, group, pixel, n;
} patch_t;

GENIE_INLINE patch_t patch_of_block(const frame_t *frame, i64 rows, i64 columns) {
  const i64 column_blocks = ceil_div(genie_n(frame), columns), row_blocks = ceil_div(pixel_count(frame), rows);
  const i64 block = block_index(), batch = block / column_blocks / row_blocks;
  return (patch_t){.image = batch / genie_groups(frame),
                   .group = batch % genie_groups(frame),
                   .pixel = block / column_blocks % row_blocks * rows,
                   .n = block % column_blocks * columns};
}

GENIE_INLINE void store_pixel(const frame_t *frame, const patch_t *patch, i64 pixel, i64 n, real_t sum) {
  if (pixel < pixel_count(frame) && n < genie_n(frame)) {
    const i64 channel = patch->group * genie_n(frame) + n;
    genie_store(frame, patch->image, channel, pixel, genie_has_bias(frame) ? sum + genie_bias(frame, channel) : sum);
  }
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_IMAGE_H_
