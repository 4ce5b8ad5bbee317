// The hooks of depthwise convolutions of two spatial dimensions, for CPUs and GPUs.
#ifndef GENIE_CODEGEN_TEMPLATES_DEPTHWISE_HOOKS_H_
#define GENIE_CODEGEN_TEMPLATES_DEPTHWISE_HOOKS_H_

#include "codegen/templates/lanes.h"

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
// Element [image][channel 0][0, 0], and strides in elements.
const void *genie_x(const frame_t *frame, i64 image);
i64 genie_x_dtype(const frame_t *frame);
i64 genie_x_channel_stride(const frame_t *frame);
i64 genie_x_stride0(const frame_t *frame);
i64 genie_x_stride1(const frame_t *frame);
const void *genie_weight(const frame_t *frame);
i64 genie_weight_dtype(const frame_t *frame);
i64 genie_weight_tap_stride(const frame_t *frame);
i64 genie_weight_channel_stride(const frame_t *frame);  // 1 where the image is channels-last
i64 genie_has_bias(const frame_t *frame);
real_t genie_bias(const frame_t *frame, i64 channel);
void genie_store(const frame_t *frame, i64 image, i64 channel, i64 pixel, real_t sum);

#endif  // GENIE_CODEGEN_TEMPLATES_DEPTHWISE_HOOKS_H_
