// Promises: a good plan verifies; each rule of the format, broken alone, is refused with its status and its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/plan/plan_bad_case.h"
#include "runtime/plan/reader.h"

#include <cmocka.h>

static void refuses_every_bad_case(void **state) {
  char folder[] = "/tmp/genie_verifier_XXXXXX";
  (void)state;
  assert_non_null(mkdtemp(folder));
  for (int i = 0; i < genie_plan_bad_case_count; ++i) {
    const genie_plan_bad_case_t *bad = &genie_plan_bad_case_table[i];
    uint8_t *bytes = NULL;
    uint64_t size_bytes = 0;
    assert_int_equal(genie_plan_bad_case_make(bad, folder, &bytes, &size_bytes), GENIE_OK);
    genie_plan_t *plan = NULL;
    const genie_status_t status = genie_plan_open_memory(bytes, size_bytes, NULL, genie_allocator_heap(), &plan);
    if (genie_status_code(status) != bad->status || strstr(genie_status_message(status), bad->message) == NULL) {
      print_error("%s: got %s: %s\n", bad->what, genie_status_code_name(genie_status_code(status)),
                  genie_status_message(status));
    }
    assert_int_equal(genie_status_code(status), bad->status);
    assert_non_null(strstr(genie_status_message(status), bad->message));
    assert_null(strchr(genie_status_message(status), '\n'));
    genie_status_free(status);
    genie_allocator_free(genie_allocator_heap(), bytes);
  }
  rmdir(folder);
}

// In place: the launch overwrites the temporary that it reads, from the same byte.
static void accepts_work_in_place(void **state) {
  (void)state;
  char path[] = "/tmp/genie_verifier_XXXXXX";
  close(mkstemp(path));
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  example.indices[example.instructions[GENIE_PLAN_EXAMPLE_SCALE].b] = 0;
  example.slices[5] = example.slices[2];  // "add" reads the temporary and writes over it
  example.instructions[GENIE_PLAN_EXAMPLE_SAVE].a = 4;
  example.entries[0].output_count = 1;  // "saved" alone is an output
  example.indices[example.entries[0].first_output] = 5;
  example.tensors[4] = example.tensors[1];
  example.tensors[4].offset = 64;
  example.places[0].state_bytes = 96;
  assert_int_equal(genie_plan_example_write(&example, path, NULL), GENIE_OK);
  genie_plan_t *plan = NULL;
  const genie_status_t status = genie_plan_open(path, NULL, genie_allocator_heap(), &plan);
  assert_string_equal(genie_status_message(status), "");
  genie_plan_close(plan);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_every_bad_case),
      cmocka_unit_test(accepts_work_in_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
