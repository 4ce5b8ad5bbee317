// libFuzzer: any bytes as a descriptor. What is accepted is written, read again and written again, to the same bytes.
#include <stdlib.h>
#include <string.h>

#include "runtime/pool/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  genie_pool_t *pool = NULL, *again = NULL;
  genie_status_t status = genie_pool_parse((const char *)data, size_bytes, "fuzz", genie_allocator_heap(), &pool);
  if (status == GENIE_OK) {
    genie_string_builder_t first, second;
    genie_string_builder_init(genie_allocator_heap(), &first);
    genie_string_builder_init(genie_allocator_heap(), &second);
    genie_pool_format(pool, &first);
    const char *text = genie_string_builder_get(&first);
    status = genie_pool_parse(text, first.length, "again", genie_allocator_heap(), &again);
    if (status != GENIE_OK) {
      abort();
    }
    genie_pool_format(again, &second);
    if (strcmp(text, genie_string_builder_get(&second)) != 0) {
      abort();
    }
    genie_string_builder_deinit(&first);
    genie_string_builder_deinit(&second);
  }
  genie_status_free(status);
  genie_pool_close(pool);
  genie_pool_close(again);
  return 0;
}
