// Machine code that the driver's compiler made, kept in a folder: the next session of the same plan starts without it.
//
// One file a key, written under another name and renamed, so that a reader sees all of it or nothing. A file begins
// with the digest of what follows; what does not match is as if it were not there. Whoever may write the folder may
// choose what the GPU runs, so it is the user's own, and a folder or file that others may write is not used.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_CODE_CACHE_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_CODE_CACHE_H_

#include "runtime/base/allocator.h"

typedef struct genie_cuda_code_key {
  char name[80];  // of the file
} genie_cuda_code_key_t;

// Code depends on the PTX, the architecture and the driver.
genie_status_t genie_cuda_code_key_of(const char *ptx, uint64_t ptx_bytes, int architecture, int driver_version,
                                      genie_cuda_code_key_t *out_key) GENIE_MUST_USE;

// The code of `key`, to be freed with `allocator`; NULL when there is none or no memory. `directory` may be NULL.
void *genie_cuda_code_cache_get(const char *directory, const genie_cuda_code_key_t *key, genie_allocator_t allocator);

// Keeps `code`. A folder that cannot be made or written to keeps nothing: a cache is no reason to fail.
void genie_cuda_code_cache_put(const char *directory, const genie_cuda_code_key_t *key, const void *code,
                               uint64_t code_bytes);

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_CODE_CACHE_H_
