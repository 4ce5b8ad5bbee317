// Promises: every plan of tests/corpus/plans/good opens, for ever; each of bad/ fails with the status in its name.
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/plan/reader.h"

#include <cmocka.h>

// The test runs in the repository's root.
static const char kGood[] = "tests/corpus/plans/good";
static const char kBad[] = "tests/corpus/plans/bad";

static genie_status_t try_open(const char *folder, const char *name) {
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  genie_plan_t *plan = NULL;
  const genie_status_t status = genie_plan_open(path, NULL, genie_allocator_heap(), &plan);
  if (status == GENIE_OK) {
    const genie_status_t weights = genie_plan_verify_weights(plan);
    genie_plan_close(plan);
    return weights;
  }
  return status;
}

static bool has_suffix(const char *name, const char *suffix) {
  const size_t length = strlen(name);
  return length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
}

static void good_plans_open(void **state) {
  (void)state;
  int count = 0;
  DIR *directory = opendir(kGood);
  assert_non_null(directory);
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (has_suffix(entry->d_name, ".gplan")) {
      const genie_status_t status = try_open(kGood, entry->d_name);
      assert_string_equal(genie_status_message(status), "");
      ++count;
    }
  }
  closedir(directory);
  assert_true(count >= 3);
}

static void bad_plans_fail_as_they_are_named(void **state) {
  (void)state;
  int count = 0;
  DIR *directory = opendir(kBad);
  assert_non_null(directory);
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (!has_suffix(entry->d_name, ".gplan")) {
      continue;
    }
    const genie_status_t status = try_open(kBad, entry->d_name);
    char name[64] = "";
    const char *code = genie_status_code_name(genie_status_code(status));
    for (size_t i = 0; code[i] != '\0' && i + 1 < sizeof(name); ++i) {
      name[i] = (char)tolower((unsigned char)code[i]);
    }
    if (strncmp(entry->d_name, name, strlen(name)) != 0) {
      print_error("%s: %s: %s\n", entry->d_name, code, genie_status_message(status));
    }
    assert_int_equal(strncmp(entry->d_name, name, strlen(name)), 0);
    genie_status_free(status);
    ++count;
  }
  closedir(directory);
  assert_true(count > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_plans_open),
      cmocka_unit_test(bad_plans_fail_as_they_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
