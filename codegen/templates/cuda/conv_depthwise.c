// Depthwise convolution: a thread is one element of the result.
#include "codegen/templates/cuda/pixel.h"
#include "codegen/templates/depthwise_hooks.h"

void genie_kernel(const frame_t *frame) {
  element_t e;
  if (!element_of_thread(frame, &e)) {
    return;
  }
  const int width = (int)genie_y_size1(frame), pixel = (int)e.pixel;
  const int top = pixel / width * (int)genie_stride0(frame) - (int)genie_padding0(frame);
  const int left = pixel % width * (int)genie_stride1(frame) - (int)genie_padding1(frame);
  const char *x = genie_x(frame, e.image);
  const i64 first = e.channel * genie_x_channel_stride(frame), weight = e.channel * genie_weight_channel_stride(frame);
  real_t sum = 0;
  for (int t0 = 0; t0 < (int)genie_kernel_size0(frame); ++t0) {
    const int row = top + t0 * (int)genie_dilation0(frame);
    for (int t1 = 0; t1 < (int)genie_kernel_size1(frame); ++t1) {
      const int column = left + t1 * (int)genie_dilation1(frame);
      const bool is_inside = row >= 0 && row < genie_x_size0(frame) && column >= 0 && column < genie_x_size1(frame);
      if (is_inside) {
        const i64 tap = (t0 * genie_kernel_size1(frame) + t1) * genie_weight_tap_stride(frame);
        sum += load_1(genie_weight(frame), (int)genie_weight_dtype(frame), weight + tap) *
               load_1(x, (int)genie_x_dtype(frame),
                      first + row * genie_x_stride0(frame) + column * genie_x_stride1(frame));
      }
    }
  }
  genie_store(frame, e.image, e.channel, e.pixel, genie_has_bias(frame) ? sum + genie_bias(frame, e.channel) : sum);
}
