// The code of a target whose device kind is "cuda": one PTX text for all kernels, and how each is launched.
//
//     [ header | kernel record | kernel record | ... | PTX, zero-terminated | cubin ]
//
// CODE_OFFSETS of a target points at the records, GENIE_PLAN_NO_CODE for a kernel that the target has no code for. A
// task of a launch's grid is a thread block (grid.x). A kernel has one parameter, a struct by value:
// `{void *args[arg_count]; int64_t dims[dim_count];}`; every address is a multiple of 16. There is no scratch.
// docs/plan-format.md is the normative text. codegen writes an image, runtime/device/cuda loads it after the verifier.
#ifndef GENIE_RUNTIME_PLAN_CUDA_IMAGE_H_
#define GENIE_RUNTIME_PLAN_CUDA_IMAGE_H_

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define GENIE_CUDA_IMAGE_MAGIC "GCUDAIMG"
#define GENIE_CUDA_DEVICE_KIND "cuda"

enum {
  GENIE_CUDA_IMAGE_VERSION = 1,
  GENIE_CUDA_MAX_THREADS = 1024,
  GENIE_CUDA_MAX_SHARED_BYTES = 227 * 1024,
  GENIE_CUDA_SYMBOL_BYTES = 64,
  GENIE_CUDA_MAX_PTX_BYTES = 1 << 28,
};

typedef struct genie_cuda_image_header {
  char magic[8];
  uint32_t version;
  uint32_t kernel_count;  // records, as many as the target has offsets of code
  uint64_t ptx_offset;    // from the image's start
  uint64_t ptx_bytes;     // with the terminating zero
  uint64_t cubin_offset;
  uint64_t cubin_bytes;  // 0: there is none, and cubin_offset is 0
} genie_cuda_image_header_t;

// Bits of genie_cuda_kernel_record_t.flags.
typedef enum genie_cuda_kernel_flag {
  // The kernel waits (griddepcontrol.wait) before it touches what earlier launches write, so that it may start while
  // they finish.
  GENIE_CUDA_KERNEL_PROGRAMMATIC_LAUNCH = 1,
  GENIE_CUDA_KERNEL_ALL_FLAGS = 1,
} genie_cuda_kernel_flag_t;

typedef struct genie_cuda_kernel_record {
  char symbol[GENIE_CUDA_SYMBOL_BYTES];  // an identifier of C, zero-terminated
  uint32_t threads_per_block;            // blockDim.x; y and z are 1
  uint32_t dynamic_shared_bytes;
  uint32_t flags;  // genie_cuda_kernel_flag_t
  uint32_t reserved;
} genie_cuda_kernel_record_t;

_Static_assert(sizeof(genie_cuda_image_header_t) == 48, "frozen layout");
_Static_assert(sizeof(genie_cuda_kernel_record_t) == 80, "frozen layout");

// Whether `bytes` [byte_count], 8-byte aligned, are an image whose records lie at `offsets` [kernel_count]
// (GENIE_PLAN_NO_CODE: none). INVALID_ARGUMENT names the kernel or field at fault, UNIMPLEMENTED a later version.
// After OK the accessors below need no checks.
genie_status_t genie_cuda_image_check(const uint8_t *bytes, uint64_t byte_count, const uint64_t *offsets,
                                      uint32_t kernel_count) GENIE_MUST_USE;

// Borrowed from a checked image. `offset` is a kernel's entry of CODE_OFFSETS.
static inline const genie_cuda_image_header_t *genie_cuda_image_header(const uint8_t *bytes) {
  return (const genie_cuda_image_header_t *)(const void *)bytes;
}
static inline const genie_cuda_kernel_record_t *genie_cuda_image_kernel(const uint8_t *bytes, uint64_t offset) {
  return (const genie_cuda_kernel_record_t *)(const void *)(bytes + offset);
}
static inline const char *genie_cuda_image_ptx(const uint8_t *bytes) {
  return (const char *)bytes + genie_cuda_image_header(bytes)->ptx_offset;
}

#endif  // GENIE_RUNTIME_PLAN_CUDA_IMAGE_H_
