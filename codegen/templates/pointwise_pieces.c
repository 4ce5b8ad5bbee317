// As pointwise.c over a space that a concatenation cuts into pieces: each piece is a space of its own, with its own
// loop, so that no element asks which piece it is in. The grid is the pieces' tasks one after the other.
#include "codegen/templates/template.h"

// clang-format off
#define PIECES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) \
  X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
// clang-format on

// As in pointwise.c; genie_tasks is 0 for pieces that there are not.
#define DECLARE(piece)                            \
  i64 genie_tasks_##piece(const frame_t *frame);  \
  i64 genie_inner_##piece(const frame_t *frame);  \
  i64 genie_chunk_##piece(const frame_t *frame);  \
  i64 genie_chunks_##piece(const frame_t *frame); \
  void genie_store_##piece(const frame_t *frame, i64 outer, i64 inner);
PIECES(DECLARE)

#define DEFINE(piece)                                                                 \
  GENIE_INLINE void run_##piece(const frame_t *frame, i64 begin, i64 end) {           \
    const i64 inner = genie_inner_##piece(frame), chunk = genie_chunk_##piece(frame); \
    const i64 chunks = genie_chunks_##piece(frame);                                   \
    for (i64 task = begin; task < end; ++task) {                                      \
      const i64 outer = task / chunks;                                                \
      const i64 low = (task - outer * chunks) * chunk;                                \
      const i64 high = genie_min_i64(low + chunk, inner);                             \
      GENIE_VECTORIZE                                                                 \
      for (i64 i = low; i < high; ++i) {                                              \
        genie_store_##piece(frame, outer, i);                                         \
      }                                                                               \
    }                                                                                 \
  }
PIECES(DEFINE)

#define RUN(piece)                                                                            \
  {                                                                                           \
    const i64 tasks = genie_tasks_##piece(frame);                                             \
    if (tasks > 0) {                                                                          \
      run_##piece(frame, genie_max_i64(begin - first, 0), genie_min_i64(end - first, tasks)); \
      first += tasks;                                                                         \
    }                                                                                         \
  }

void genie_kernel(const frame_t *frame, i64 begin, i64 end) {
  i64 first = 0;
  PIECES(RUN)
}
