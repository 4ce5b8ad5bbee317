// Tensors in files: safetensors (many, by name) and npy (one).
//
// Files are input from outside: a reader checks every length and offset before it uses it, and never reads past the
// bytes that it was given. Files are written whole or not at all: under a temporary name beside the target, which takes
// the target's name at the end. Functions are thread-safe on different objects.
#ifndef GENIE_TOOLS_TENSOR_FILE_TENSOR_FILE_H_
#define GENIE_TOOLS_TENSOR_FILE_TENSOR_FILE_H_

#include "genie/genie.h"
#include "runtime/base/arena.h"

typedef struct genie_named_tensor {
  const char *name;
  genie_tensor_t tensor;
} genie_named_tensor_t;

typedef struct genie_tensor_set {
  genie_named_tensor_t *tensors;
  size_t count;
} genie_tensor_set_t;

// Parses a safetensors file of `size_bytes` at `bytes`. Names live in `arena`; data stays in `bytes`, at any alignment.
// INVALID_ARGUMENT: not safetensors, or damaged; the message names the tensor. UNIMPLEMENTED: a dtype without a genie
// one.
genie_status_t genie_safetensors_parse(const void *bytes, uint64_t size_bytes, genie_arena_t *arena,
                                       genie_tensor_set_t *out_set) GENIE_MUST_USE;

// Parses an npy file (numpy.save, format 1 to 3); data stays in `bytes`. INVALID_ARGUMENT: not npy, or damaged.
// UNIMPLEMENTED: Fortran order, big-endian, or a dtype without a genie one.
genie_status_t genie_npy_parse(const void *bytes, uint64_t size_bytes, genie_tensor_t *out_tensor) GENIE_MUST_USE;

// Reads the whole file at `path` into 64-byte aligned memory of `arena`'s allocator, released with
// genie_tensor_file_free(). NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (a folder), RESOURCE_EXHAUSTED.
typedef struct genie_tensor_file {
  genie_allocator_t allocator;
  void *bytes;
  uint64_t size_bytes;
} genie_tensor_file_t;
genie_status_t genie_tensor_file_read(const char *path, genie_allocator_t allocator,
                                      genie_tensor_file_t *out_file) GENIE_MUST_USE;
void genie_tensor_file_free(genie_tensor_file_t *file);

// Both write to a file that appears whole or not at all; a pipe or terminal is written in place. RESOURCE_EXHAUSTED:
// the disk is full. PERMISSION_DENIED, NOT_FOUND: the folder. genie_npy_write: UNIMPLEMENTED for bf16, which npy cannot
// say.
genie_status_t genie_safetensors_write(const char *path, const genie_tensor_set_t *set,
                                       genie_allocator_t allocator) GENIE_MUST_USE;
genie_status_t genie_npy_write(const char *path, const genie_tensor_t *tensor) GENIE_MUST_USE;

// Bytes of a tensor; false on overflow, a negative dimension or a wrong rank.
bool genie_tensor_byte_count(const genie_tensor_t *tensor, uint64_t *out_bytes);

#endif  // GENIE_TOOLS_TENSOR_FILE_TENSOR_FILE_H_
