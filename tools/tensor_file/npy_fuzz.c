// Any bytes: genie_npy_parse() refuses them or gives a tensor that lies inside them.
#include <stdlib.h>

#include "tools/tensor_file/tensor_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  genie_tensor_t tensor;
  const genie_status_t status = genie_npy_parse(bytes, size, &tensor);
  if (status == GENIE_OK) {
    uint64_t tensor_bytes = 0;
    const uint8_t *data = tensor.data;
    if (!genie_tensor_byte_count(&tensor, &tensor_bytes) || data < bytes ||
        tensor_bytes > (uint64_t)(bytes + size - data)) {
      abort();
    }
  }
  genie_status_free(status);
  return 0;
}
