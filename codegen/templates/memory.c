// What the code generator may call on its own for large copies and fills.
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t size) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  for (size_t i = 0; i < size; ++i) {
    to[i] = from[i];
  }
  return destination;
}

void *memmove(void *destination, const void *source, size_t size) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (to <= from) {
    for (size_t i = 0; i < size; ++i) {
      to[i] = from[i];
    }
  } else {
    for (size_t i = size; i > 0; --i) {
      to[i - 1] = from[i - 1];
    }
  }
  return destination;
}

void *memset(void *destination, int value, size_t size) {
  uint8_t *to = destination;
  for (size_t i = 0; i < size; ++i) {
    to[i] = (uint8_t)value;
  }
  return destination;
}
