// libFuzzer: the reader and the verifier on any bytes. The hashes are made to fit, so that the fuzzer reaches the
// verifier.
#include <stdlib.h>
#include <string.h>

#include "runtime/plan/disassemble.h"
#include "runtime/plan/plan_example.h"
#include "runtime/plan/reader.h"
#include "runtime/plan/verifier.h"

enum { kMaximumInput = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  if (size_bytes > kMaximumInput) {
    return 0;
  }
  uint8_t *bytes = aligned_alloc(64, (size_bytes + GENIE_PLAN_HEADER_BYTES + 63) & ~(size_t)63);
  memset(bytes, 0, GENIE_PLAN_HEADER_BYTES);
  if (size_bytes > 0) {
    memcpy(bytes, data, size_bytes);
  }
  const genie_status_t header = genie_plan_verify_header((const genie_plan_header_t *)bytes, size_bytes);
  if (header == GENIE_OK) {
    genie_status_free(genie_plan_example_rehash(bytes));
  }
  genie_status_free(header);
  genie_plan_t *plan = NULL;
  const genie_status_t status = genie_plan_open_memory(bytes, size_bytes, NULL, genie_allocator_heap(), &plan);
  if (status == GENIE_OK) {
    genie_string_builder_t text;
    genie_string_builder_init(genie_allocator_heap(), &text);
    genie_status_free(genie_plan_disassemble(plan, &text));
    genie_string_builder_deinit(&text);
    genie_plan_close(plan);
  }
  genie_status_free(status);
  free(bytes);
  return 0;
}
