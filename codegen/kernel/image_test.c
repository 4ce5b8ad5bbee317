#include "codegen/kernel/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static const char *const entry_symbol[] = {"entry"};

// Links the object file `name` of the build's folder of test objects.
static genie_status_t link_object(const char *name, genie_arena_t *arena, genie_image_t *out_image,
                                  uint64_t *out_offset) {
  char path[1024];
  snprintf(path, sizeof(path), "%s/%s.o", GENIE_TEST_OBJECTS, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  static _Alignas(16) char bytes[1 << 16];
  const size_t size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  return genie_image_link(bytes, size, 1, entry_symbol, arena, out_image, out_offset);
}

static void test_an_image_runs_where_it_lies(void **state) {
  (void)state;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_image_t image;
  uint64_t offset = 0;
  assert_int_equal(link_object("image_good", &arena, &image, &offset), GENIE_OK);
  char *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *place = memory + 4096;
  memcpy(place, image.bytes, image.size_bytes);
  assert_int_equal(mprotect(memory, 65536, PROT_READ | PROT_EXEC), 0);
  int (*entry)(int);
  const void *address = place + offset;
  memcpy(&entry, &address, sizeof(entry));
  assert_int_equal(entry(1), 12);
  assert_int_equal(entry(3), 14);
  munmap(memory, 65536);
  genie_arena_deinit(&arena);
}

static void expect_failure(const char *name, const char *text) {
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_image_t image;
  uint64_t offset = 0;
  const genie_status_t status = link_object(name, &arena, &image, &offset);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INTERNAL);
  assert_non_null(strstr(genie_status_message(status), text));
  genie_status_free(status);
  genie_arena_deinit(&arena);
}

static void test_an_undefined_symbol_is_named(void **state) {
  (void)state;
  expect_failure("image_undefined", "'absent'");
}

static void test_writable_data_is_refused(void **state) {
  (void)state;
  expect_failure("image_writable", ".data");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_image_runs_where_it_lies),
      cmocka_unit_test(test_an_undefined_symbol_is_named),
      cmocka_unit_test(test_writable_data_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
