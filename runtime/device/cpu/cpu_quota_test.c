#include "runtime/device/cpu/cpu_quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char mount_folder[] = "/tmp/genie-cpu-quota-XXXXXX";

static void in_mount(const char *name, size_t capacity, char *out_path) {
  assert_true(snprintf(out_path, capacity, "%s/%s", mount_folder, name) < (int)capacity);
}

static void make_folder(const char *name) {
  char path[256];
  in_mount(name, sizeof(path), path);
  assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const char *name, const char *text) {
  char path[256];
  in_mount(name, sizeof(path), path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
  (void)state;
  snprintf(mount_folder, sizeof(mount_folder), "/tmp/genie-cpu-quota-XXXXXX");
  return mkdtemp(mount_folder) == NULL;
}

static int teardown(void **state) {
  (void)state;
  char command[256];
  snprintf(command, sizeof(command), "rm -rf '%s'", mount_folder);
  return system(command);
}

static void test_the_tightest_group_counts(void **state) {
  (void)state;
  make_folder("outer");
  make_folder("outer/inner");
  write_file("outer/cpu.max", "150000 100000\n");
  write_file("outer/inner/cpu.max", "max 100000\n");
  assert_int_equal(genie_cpu_quota_read("0::/outer/inner\n", mount_folder), 2);
  write_file("outer/inner/cpu.max", "25000 50000\n");
  assert_int_equal(genie_cpu_quota_read("0::/outer/inner\n", mount_folder), 1);
  assert_int_equal(genie_cpu_quota_read("0::/outer\n", mount_folder), 2);
}

static void test_a_container_sees_its_group_as_the_root(void **state) {
  (void)state;
  write_file("cpu.max", "400000 100000\n");
  assert_int_equal(genie_cpu_quota_read("0::/docker/0123abcd\n", mount_folder), 4);
  assert_int_equal(genie_cpu_quota_read("0::/\n", mount_folder), 4);
}

static void test_version_1_groups_are_read(void **state) {
  (void)state;
  make_folder("cpu,cpuacct");
  make_folder("cpu,cpuacct/job");
  write_file("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write_file("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write_file("cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  write_file("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  const char *text = "9:memory:/job\n4:cpuset:/job\n3:cpu,cpuacct:/job\n0::/\n";
  assert_int_equal(genie_cpu_quota_read(text, mount_folder), 3);
  assert_int_equal(genie_cpu_quota_read("3:cpu,cpuacct:/\n", mount_folder), 0);
}

static void test_no_quota_and_nonsense_read_as_none(void **state) {
  (void)state;
  static const char *const kContents[] = {"max 100000\n", "", "12", "0 0\n", "-5 100\n", "a b\n", "100000 0\n"};
  static const char *const kTexts[] = {"0::/", "", ":", "0:", "::", "0::relative", "\n\n", "1:cpu:/x"};
  for (size_t c = 0; c < sizeof(kContents) / sizeof(kContents[0]); ++c) {
    write_file("cpu.max", kContents[c]);
    for (size_t t = 0; t < sizeof(kTexts) / sizeof(kTexts[0]); ++t) {
      assert_int_equal(genie_cpu_quota_read(kTexts[t], mount_folder), 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_the_tightest_group_counts, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_container_sees_its_group_as_the_root, setup, teardown),
      cmocka_unit_test_setup_teardown(test_version_1_groups_are_read, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_quota_and_nonsense_read_as_none, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
