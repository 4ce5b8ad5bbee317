// Templates whose block is genie_width() columns of the inner dimension at one outer index: a thread is a column.
#ifndef GENIE_CODEGEN_TEMPLATES_CUDA_STRIDED_H_
#define GENIE_CODEGEN_TEMPLATES_CUDA_STRIDED_H_

#include "codegen/templates/cuda/device.h"

i64 genie_inner(const frame_t *frame);
i64 genie_width(const frame_t *frame);  // columns of a block: its threads

// False for a thread beyond the inner dimension.
GENIE_INLINE bool strided_column(const frame_t *frame, i64 *out_outer, i64 *out_inner) {
  const i64 blocks = (genie_inner(frame) + genie_width(frame) - 1) / genie_width(frame);
  *out_outer = block_index() / blocks;
  *out_inner = block_index() % blocks * genie_width(frame) + thread_index();
  return *out_inner < genie_inner(frame);
}

#endif  // GENIE_CODEGEN_TEMPLATES_CUDA_STRIDED_H_
