// Element types of tensors.
#ifndef GENIE_DTYPE_H_
#define GENIE_DTYPE_H_

#include <stddef.h>
#include <stdint.h>

#include "genie/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum genie_dtype {
  GENIE_DTYPE_INVALID = 0,
#define GENIE_DTYPE(enumerator, name, number, bytes) GENIE_DTYPE_##enumerator = (number),
#include "genie/dtype.def"
#undef GENIE_DTYPE
} genie_dtype_t;

// Bytes of one element; 0 for a number that names no dtype.
GENIE_API size_t genie_dtype_bytes(genie_dtype_t dtype);

// As in "f32", "bf16", "bool"; "invalid" for a number that names no dtype. Static storage.
GENIE_API const char *genie_dtype_name(genie_dtype_t dtype);

// The dtype of a name as genie_dtype_name() gives it; GENIE_DTYPE_INVALID if there is none.
GENIE_API genie_dtype_t genie_dtype_parse(const char *name, size_t length);

#ifdef __cplusplus
}
#endif
#endif  // GENIE_DTYPE_H_
