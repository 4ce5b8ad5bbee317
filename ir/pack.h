// The layouts that genie.pack gives a weight: what the layout pass asks for, the evaluator writes and templates read.
//
//   format        weight                    packed
//   "panel_n"     [.., N, K]                [.., ceil(N / width), K, width]           linear; a matmul's rhs, permuted
//   "conv_n"      [G * O, C, spatial..]     [G * ceil(O / width), spatial.., C, width]  conv with G groups
//   "transposed_n" [G * C, O, spatial..]    [G * ceil(O / width), spatial.., C, width]  conv_transpose with G groups
//   "depthwise"   [C, 1, spatial..]         [spatial.., ceil(C / width) * width]      conv with C groups of one channel
//   "winograd_2"  [O, C, 3, 3] f32          [ceil(O / width), 4, 4, C, width]         conv by minimal filtering in
//   "winograd_4"  [O, C, 3, 3] f32          [ceil(O / width), 6, 6, C, width]         tiles of 2 x 2 or 4 x 4 pixels
//
// The last two hold G w G^T of each 3 x 3 filter w (ir/winograd.h), rounded once. Elements beyond N, O or C are zeros.
// `groups` is 1 for the other formats. Templates want a width of 128 bytes of the compute type (32 for f32, bf16 and
// f16, 16 for f64) for every target: a narrower vector unit reads a part of a panel.
#ifndef GENIE_IR_PACK_H_
#define GENIE_IR_PACK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genie/dtype.h"
#include "runtime/base/status.h"

typedef struct genie_pack_format {
  const char *name;
  int least_rank, greatest_rank;
  bool has_groups;
  bool is_transform;  // computes: the weight is f32, and its spatial dimensions are 3 x 3
  // Writes the packed dims and returns their rank (at most rank + 1). `rank` is within the bounds above, and `groups`
  // divides dims[0].
  int (*shape)(int rank, const int64_t *dims, int64_t groups, int64_t width, int64_t *out_dims);
  // Packs the dense row-major `x`; `out` has the packed shape and is written completely.
  void (*pack)(int rank, const int64_t *dims, int64_t groups, int64_t width, size_t element_bytes, const void *x,
               void *out);
} genie_pack_format_t;

extern const genie_pack_format_t genie_pack_table[];
extern const int genie_pack_table_count;

// NULL when there is no such format.
const genie_pack_format_t *genie_pack_find(const char *name, size_t length);

// The width that templates want for weights of `dtype`: elements of the compute type in 128 bytes.
int64_t genie_pack_width(genie_dtype_t dtype);

#endif  // GENIE_IR_PACK_H_
