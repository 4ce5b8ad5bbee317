// Templates whose threads each make one element of an image: neighbours in memory are neighbouring threads.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_PIXEL_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_PIXEL_H_

#include "codegen/templates/cuda/device.h"
#include "codegen/templates/lanes.h"

i64 genie_items(const frame_t *frame);
i64 genie_is_small(const frame_t *frame);  // items are below 2^31
i64 genie_channels(const frame_t *frame);
i64 genie_pixels(const frame_t *frame);
i64 genie_is_channels_last(const frame_t *frame);

typedef struct element {
  i64 image, channel, pixel;
} element_t;

// False for a thread that has none.
GENIE_INLINE bool element_of_thread(const frame_t *frame, element_t *out) {
  const i64 item = (i64)block_index() * genie_threads(frame) + thread_index();
  if (item >= genie_items(frame)) {
    return false;
  }
  const i64 inner = genie_is_channels_last(frame) ? genie_channels(frame) : genie_pixels(frame);
  const i64 outer = genie_is_channels_last(frame) ? genie_pixels(frame) : genie_channels(frame);
  i64 a, b;
  if (genie_is_small(frame)) {  // division of 32 bits
    a = (uint32_t)item % (uint32_t)inner;
    b = (uint32_t)item / (uint32_t)inner;
    out->image = (uint32_t)b / (uint32_t)outer;
  } else {
    a = item % inner;
    b = item / inner;
    out->image = b / outer;
  }
  b -= out->image * outer;
  out->channel = genie_is_channels_last(frame) ? a : b;
  out->pixel = genie_is_channels_last(frame) ? b : a;
  return true;
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_PIXEL_H_
