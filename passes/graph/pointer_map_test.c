// What the map promises: it finds what was set, after any growth, and nothing else.
#include "passes/graph/pointer_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { KEYS = 10000 };
static int keys[2 * KEYS];

static void finds_what_was_set(void **state) {
  (void)state;
  genie_pointer_map_t map;
  genie_pointer_map_init(&map);
  assert_int_equal(genie_pointer_map_get(&map, &keys[0]), -1);
  for (int i = 0; i < KEYS; ++i) {
    assert_true(genie_pointer_map_set(&map, &keys[i], i) == GENIE_OK);
  }
  for (int i = 0; i < KEYS; ++i) {
    assert_int_equal(genie_pointer_map_get(&map, &keys[i]), i);
    assert_int_equal(genie_pointer_map_get(&map, &keys[KEYS + i]), -1);
  }
  genie_pointer_map_deinit(&map);
}

static void later_value_replaces_earlier(void **state) {
  (void)state;
  genie_pointer_map_t map;
  genie_pointer_map_init(&map);
  assert_true(genie_pointer_map_set(&map, &keys[0], 1) == GENIE_OK);
  assert_true(genie_pointer_map_set(&map, &keys[0], 2) == GENIE_OK);
  assert_int_equal(genie_pointer_map_get(&map, &keys[0]), 2);
  assert_int_equal(map.count, 1);
  genie_pointer_map_deinit(&map);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_was_set),
                                     cmocka_unit_test(later_value_replaces_earlier)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
