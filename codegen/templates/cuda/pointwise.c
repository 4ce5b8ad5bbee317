// Every element of an iteration space on its own: a thread takes genie_vector() neighbours along the inner dimension.
#include "codegen/templates/cuda/device.h"

i64 genie_items(const frame_t *frame);     // threads that have something to do
i64 genie_is_small(const frame_t *frame);  // items are below 2^31
i64 genie_inner(const frame_t *frame);     // size of the inner dimension
i64 genie_vector(const frame_t *frame);    // divides it
// Computes and stores all results at an index, and at the neighbours behind it.
void genie_store(const frame_t *frame, i64 outer, i64 inner);
void genie_store_2(const frame_t *frame, i64 outer, i64 inner);
void genie_store_4(const frame_t *frame, i64 outer, i64 inner);
void genie_store_8(const frame_t *frame, i64 outer, i64 inner);

GENIE_INLINE void store_at(const frame_t *frame, i64 outer, i64 inner) {
  switch (genie_vector(frame)) {
    case 8:
      genie_store_8(frame, outer, inner * 8);
      break;
    case 4:
      genie_store_4(frame, outer, inner * 4);
      break;
    case 2:
      genie_store_2(frame, outer, inner * 2);
      break;
    default:
      genie_store(frame, outer, inner);
  }
}

void genie_kernel(const frame_t *frame) {
  const i64 vectors = genie_inner(frame) / genie_vector(frame);
  if (genie_is_small(frame)) {  // division of 32 bits
    const uint32_t item = (uint32_t)block_index() * (uint32_t)genie_threads(frame) + (uint32_t)thread_index();
    if (item < (uint32_t)genie_items(frame)) {
      const uint32_t outer = item / (uint32_t)vectors;
      store_at(frame, outer, item - outer * (uint32_t)vectors);
    }
    return;
  }
  const i64 item = (i64)block_index() * genie_threads(frame) + thread_index();
  if (item < genie_items(frame)) {
    const i64 outer = item / vectors;
    store_at(frame, outer, item - outer * vectors);
  }
}
