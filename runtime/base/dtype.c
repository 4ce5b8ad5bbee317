#include "genie/dtype.h"

#include <string.h>

static const struct {
  genie_dtype_t dtype;
  const char *name;
  size_t bytes;
} kDtypes[] = {
#define GENIE_DTYPE(enumerator, name, number, bytes) {GENIE_DTYPE_##enumerator, #name, bytes},
#include "genie/dtype.def"
#undef GENIE_DTYPE
};

enum { kDtypeCount = sizeof(kDtypes) / sizeof(kDtypes[0]) };

size_t genie_dtype_bytes(genie_dtype_t dtype) {
  for (int i = 0; i < kDtypeCount; ++i) {
    if (kDtypes[i].dtype == dtype) {
      return kDtypes[i].bytes;
    }
  }
  return 0;
}

const char *genie_dtype_name(genie_dtype_t dtype) {
  for (int i = 0; i < kDtypeCount; ++i) {
    if (kDtypes[i].dtype == dtype) {
      return kDtypes[i].name;
    }
  }
  return "invalid";
}

genie_dtype_t genie_dtype_parse(const char *name, size_t length) {
  for (int i = 0; i < kDtypeCount; ++i) {
    if (strlen(kDtypes[i].name) == length && memcmp(kDtypes[i].name, name, length) == 0) {
      return kDtypes[i].dtype;
    }
  }
  return GENIE_DTYPE_INVALID;
}
