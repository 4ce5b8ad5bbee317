// From an object file to code that runs where it lies.
#ifndef GENIE_CODEGEN_KERNEL_IMAGE_H_
#define GENIE_CODEGEN_KERNEL_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"

// One read-only image of code and constants, in the arena.
typedef struct genie_image {
  uint8_t *bytes;
  uint64_t size_bytes;
} genie_image_t;

// Lays the sections of the x86-64 ELF `object` into one image, resolves their references to each other, and finds the
// offset of each of `symbols`. INTERNAL names a symbol that is not defined, writable data, or a reference that is not
// relative to its own place: the image would need a loader.
genie_status_t genie_image_link(const void *object, size_t object_bytes, int symbol_count, const char *const *symbols,
                                genie_arena_t *arena, genie_image_t *out_image, uint64_t *out_offsets) GENIE_MUST_USE;

#endif  // GENIE_CODEGEN_KERNEL_IMAGE_H_
