// Any bytes: genie_safetensors_parse() refuses them or gives tensors that lie inside them.
#include <stdlib.h>

#include "tools/tensor_file/tensor_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  genie_arena_t arena;
  genie_tensor_set_t set = {0};
  genie_arena_init(genie_allocator_heap(), 64 << 20, &arena);
  const genie_status_t status = genie_safetensors_parse(bytes, size, &arena, &set);
  for (size_t i = 0; status == GENIE_OK && i < set.count; ++i) {
    uint64_t tensor_bytes = 0;
    const uint8_t *data = set.tensors[i].tensor.data;
    if (!genie_tensor_byte_count(&set.tensors[i].tensor, &tensor_bytes) || data < bytes ||
        tensor_bytes > (uint64_t)(bytes + size - data)) {
      abort();
    }
  }
  genie_status_free(status);
  genie_arena_deinit(&arena);
  return 0;
}
