// Every element of an iteration space on its own. A task is a chunk of the inner dimension at one outer index.
#include "codegen/templates/template.h"

i64 genie_inner(const frame_t *frame);   // size of the inner dimension
i64 genie_chunk(const frame_t *frame);   // elements of the inner dimension that a task takes
i64 genie_chunks(const frame_t *frame);  // tasks for one outer index
// Computes and stores all results at an index.
void genie_store(const frame_t *frame, i64 outer, i64 inner);

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  const i64 inner = genie_inner(frame);
  const i64 chunk = genie_chunk(frame);
  const i64 chunks = genie_chunks(frame);
  for (i64 task = begin; task < end; ++task) {
    const i64 outer = task / chunks;
    const i64 low = (task - outer * chunks) * chunk;
    const i64 high = genie_min_i64(low + chunk, inner);
    GENIE_VECTORIZE
    for (i64 i = low; i < high; ++i) {
      genie_store(frame, outer, i);
    }
  }
}
