#include "runtime/device/cpu/cpu_feature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void read_kernel_flags(char *out_flags, size_t capacity) {
  out_flags[0] = '\0';
  FILE *file = fopen("/proc/cpuinfo", "r");
  static char line[16384];
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, "flags", 5) == 0) {
      line[strcspn(line, "\n")] = ' ';
      snprintf(out_flags, capacity, "%s", line);
      break;
    }
  }
  if (file != NULL) {
    fclose(file);
  }
}

// A feature that we report and the kernel does not would let code run that faults.
static void test_the_kernel_has_every_listed_feature(void **state) {
  (void)state;
  static char flags[16384];
  read_kernel_flags(flags, sizeof(flags));
  if (flags[0] == '\0') {
    skip();
  }
  char list[2048];
  snprintf(list, sizeof(list), "%s", genie_cpu_feature_list());
  for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
    char word[64];
    snprintf(word, sizeof(word), " %s ", name);
    if (strstr(flags, word) == NULL) {
      fail_msg("/proc/cpuinfo does not list %s", name);
    }
  }
}

static void test_the_baseline_is_listed(void **state) {
  (void)state;
#if defined(__x86_64__)
  assert_non_null(strstr(genie_cpu_feature_list(), "sse2"));
#else
  assert_string_equal(genie_cpu_feature_list(), "");
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_kernel_has_every_listed_feature),
      cmocka_unit_test(test_the_baseline_is_listed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
