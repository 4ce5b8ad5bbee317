// Hooks of the templates that read images, of up to three spatial dimensions, outermost first: conv, pool, upsample.
// An absent dimension has size 1, stride 1, padding 0, dilation 1.
#ifndef GENIE_CODEGEN_TEMPLATES_IMAGE_H_
#define GENIE_CODEGEN_TEMPLATES_IMAGE_H_

#include "codegen/templates/template.h"

// Sizes of the input and the output.
i64 genie_x_size0(const frame_t *frame);
i64 genie_x_size1(const frame_t *frame);
i64 genie_x_size2(const frame_t *frame);
i64 genie_y_size0(const frame_t *frame);
i64 genie_y_size1(const frame_t *frame);
i64 genie_y_size2(const frame_t *frame);

// Element [image][channel][0, 0, 0] of the input, and its strides in elements.
const void *genie_x(const frame_t *frame, i64 image, i64 channel);
i64 genie_x_dtype(const frame_t *frame);
i64 genie_x_channel_stride(const frame_t *frame);
i64 genie_x_stride0(const frame_t *frame);
i64 genie_x_stride1(const frame_t *frame);
i64 genie_x_stride2(const frame_t *frame);

// The window of a convolution or of pooling.
i64 genie_kernel_size0(const frame_t *frame);
i64 genie_kernel_size1(const frame_t *frame);
i64 genie_kernel_size2(const frame_t *frame);
i64 genie_stride0(const frame_t *frame);
i64 genie_stride1(const frame_t *frame);
i64 genie_stride2(const frame_t *frame);
i64 genie_padding0(const frame_t *frame);
i64 genie_padding1(const frame_t *frame);
i64 genie_padding2(const frame_t *frame);
i64 genie_dilation0(const frame_t *frame);
i64 genie_dilation1(const frame_t *frame);
i64 genie_dilation2(const frame_t *frame);

#endif  // GENIE_CODEGEN_TEMPLATES_IMAGE_H_
