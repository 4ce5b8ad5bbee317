// A small plan made by hand, for tests of what runs plans. It has three entries:
//
//   "static"   x f32 [2, 3] -> y f32 [2, 3]: y = (x + w) + (x + w), with w = 1, 2, 3, 4, 5, 6; the sum is a temporary
//   "dynamic"  x f32 [s0, 3] -> y f32 [s0, 3], s0 from 1 to 8: y = x + x, through a kernel that uses its scratch
//   "count"    step f32 [4] -> total f32 [4]: the state "sum" grows by step, total is a copy of it; it starts as 10,
//   20, 30, 40
//
// With places there is a second one, "far:cpu1" or "far:cuda1", and a fourth entry:
//
//   "far"      x f32 [s0, 3] -> y f32 [s0, 3], z f32 [s0, 3], s0 from 1 to 8: place 0 doubles x and sends it to place
//   1, which returns it as z, doubles it and sends that back: y = 4 x, an output at place 0; z = 2 x, one at place 1
//
// The kernels are this program's own code for the CPU, or those of cuda_example.h.
#ifndef GENIE_TESTS_SUPPORT_SAMPLE_PLAN_H_
#define GENIE_TESTS_SUPPORT_SAMPLE_PLAN_H_

#include <stdbool.h>

#include "runtime/base/status.h"

enum { SAMPLE_STATIC = 0, SAMPLE_DYNAMIC = 1, SAMPLE_COUNT = 2, SAMPLE_FAR = 3 };

// What may differ from the sample above. Zero-initialised: nothing.
typedef struct genie_sample_options {
  bool is_cuda;             // for a GPU
  const char *features;     // that the code claims to need; NULL: none
  const char *signing_key;  // a PEM file, or NULL
  bool has_places;
  bool is_faulty;  // for a GPU: every kernel writes to an address that is nobody's
} genie_sample_options_t;

// Writes the plan to `path`; `options` may be NULL.
genie_status_t genie_sample_plan_write(const char *path, const genie_sample_options_t *options) GENIE_MUST_USE;

#endif  // GENIE_TESTS_SUPPORT_SAMPLE_PLAN_H_
