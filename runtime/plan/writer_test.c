// Promises: what is written reads back; equal input gives equal bytes; a failed write leaves no file; signatures hold.
#include "runtime/plan/writer.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/plan/manifest.h"
#include "runtime/plan/plan_bad_case.h"
#include "runtime/plan/reader.h"

#include <cmocka.h>

static char folder[64];

static const char *in_folder(const char *name) {
  static char paths[4][160];
  static int next = 0;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
  return path;
}

static int file_count(void) {
  DIR *directory = opendir(folder);
  int count = 0;
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    count += entry->d_name[0] != '.';
  }
  closedir(directory);
  return count;
}

static void remove_all(void) {
  DIR *directory = opendir(folder);
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (entry->d_name[0] != '.') {
      unlink(in_folder(entry->d_name));
    }
  }
  closedir(directory);
}

static void expect(genie_status_t status, genie_status_code_t code, const char *message) {
  if (genie_status_code(status) != code) {
    print_error("%s\n", genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  if (message != NULL) {
    assert_non_null(strstr(genie_status_message(status), message));
  }
  genie_status_free(status);
}

static void write_example(const char *name, const char *key) {
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  expect(genie_plan_example_write(&example, in_folder(name), key), GENIE_STATUS_OK, NULL);
}

static genie_plan_t *open_example(const char *name) {
  genie_plan_t *plan = NULL;
  expect(genie_plan_open(in_folder(name), NULL, genie_allocator_heap(), &plan), GENIE_STATUS_OK, NULL);
  return plan;
}

// Writes a PEM key pair of seed byte `seed`; gives the public key in hexadecimal.
static void make_key(const char *name, uint8_t seed, char out_hex[65]) {
  uint8_t secret[32];
  uint8_t public_key[32];
  size_t length = sizeof(public_key);
  memset(secret, seed, sizeof(secret));
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
  EVP_PKEY_get_raw_public_key(key, public_key, &length);
  for (int i = 0; i < 32; ++i) {
    snprintf(out_hex + 2 * i, 3, "%02x", public_key[i]);
  }
  FILE *file = fopen(in_folder(name), "w");
  PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
  fclose(file);
  EVP_PKEY_free(key);
}

static void write_text(const char *name, const char *text) {
  FILE *file = fopen(in_folder(name), "w");
  fputs(text, file);
  fclose(file);
}

static void reads_back_what_was_written(void **state) {
  (void)state;
  write_example("a.gplan", NULL);
  genie_plan_t *plan = open_example("a.gplan");
  assert_int_equal(plan->entry_count, 2);
  assert_string_equal(genie_plan_string(plan, plan->tensors[genie_plan_input(plan, 0, 0)].name), "x");
  float weights[GENIE_PLAN_EXAMPLE_COLUMNS];
  expect(genie_plan_read_weights(plan, 0, sizeof(weights), weights), GENIE_STATUS_OK, NULL);
  assert_true(weights[7] == 7.0f);
  expect(genie_plan_verify_weights(plan), GENIE_STATUS_OK, NULL);
  expect(genie_plan_read_weights(plan, 16, 32, weights), GENIE_STATUS_OUT_OF_RANGE, NULL);
  genie_plan_manifest_t manifest;
  expect(genie_plan_manifest_read(plan, &manifest), GENIE_STATUS_OK, NULL);
  assert_string_equal(manifest.producer, "example");
  assert_string_equal(manifest.requirements[0], "cpu");
  genie_plan_manifest_deinit(&manifest);
  genie_plan_close(plan);
  struct stat info;
  assert_int_equal(stat(in_folder("a.gplan"), &info), 0);
  assert_int_equal(info.st_mode & 0600, 0600);
}

static void equal_input_gives_equal_bytes(void **state) {
  (void)state;
  uint8_t *bytes[2];
  uint64_t sizes[2];
  for (int i = 0; i < 2; ++i) {
    write_example("b.gplan", NULL);
    expect(genie_plan_example_read(in_folder("b.gplan"), &bytes[i], &sizes[i]), GENIE_STATUS_OK, NULL);
  }
  assert_int_equal(sizes[0], sizes[1]);
  assert_memory_equal(bytes[0], bytes[1], sizes[0]);
  genie_allocator_free(genie_allocator_heap(), bytes[0]);
  genie_allocator_free(genie_allocator_heap(), bytes[1]);
}

static void damaged_weights_are_found(void **state) {
  (void)state;
  write_example("w.gplan", NULL);
  FILE *file = fopen(in_folder("w.gplan"), "r+b");
  fseek(file, -1, SEEK_END);
  fputc(1, file);
  fclose(file);
  genie_plan_t *plan = open_example("w.gplan");
  expect(genie_plan_verify_weights(plan), GENIE_STATUS_DATA_LOSS, "chunk 0");
  genie_plan_close(plan);
}

static void a_failed_write_leaves_no_file(void **state) {
  (void)state;
  remove_all();
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  expect(genie_plan_example_write(&example, in_folder("none/a.gplan"), NULL), GENIE_STATUS_NOT_FOUND, "none/a.gplan");
  expect(genie_plan_example_write(&example, "/dev/null", NULL), GENIE_STATUS_INVALID_ARGUMENT, "not a regular file");
  expect(genie_plan_example_write(&example, in_folder("k.gplan"), in_folder("absent.pem")), GENIE_STATUS_NOT_FOUND,
         "absent.pem");
  struct rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const struct rlimit small = {8192, limit.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const genie_status_t status = genie_plan_example_write(&example, in_folder("full.gplan"), NULL);
  setrlimit(RLIMIT_FSIZE, &limit);
  expect(status, GENIE_STATUS_RESOURCE_EXHAUSTED, "full.gplan: cannot write");
  assert_int_equal(file_count(), 0);
}

static void a_signature_is_checked(void **state) {
  (void)state;
  char hex[65];
  make_key("key.pem", 7, hex);
  write_example("s.gplan", in_folder("key.pem"));
  write_example("u.gplan", NULL);
  genie_plan_t *plan = NULL;
  const genie_plan_options_t required = {.is_signature_required = true};
  expect(genie_plan_open(in_folder("s.gplan"), &required, genie_allocator_heap(), &plan), GENIE_STATUS_OK, NULL);
  genie_plan_close(plan);
  expect(genie_plan_open(in_folder("u.gplan"), &required, genie_allocator_heap(), &plan),
         GENIE_STATUS_PERMISSION_DENIED, "not signed");
  FILE *file = fopen(in_folder("s.gplan"), "r+b");
  fseek(file, offsetof(genie_plan_header_t, signature), SEEK_SET);
  fputc(0x5a, file);
  fclose(file);
  expect(genie_plan_open(in_folder("s.gplan"), NULL, genie_allocator_heap(), &plan), GENIE_STATUS_PERMISSION_DENIED,
         "signature does not match");
}

static void only_trusted_keys_are_accepted(void **state) {
  (void)state;
  char hex[65];
  char text[256];
  make_key("key.pem", 9, hex);
  write_example("t.gplan", in_folder("key.pem"));
  snprintf(text, sizeof(text), "# the build machine\n\n  %s  # until spring\n", hex);
  write_text("trusted", text);
  write_text("others", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n");
  write_text("base64", "/R+FGUCpSdD4NNFwUFOe8lHLN0tnnfHc9qbLUGMe+AM=\n");
  write_text("wrong", "hello\n");
  genie_plan_t *plan = NULL;
  genie_plan_options_t options = {.trusted_keys_path = in_folder("trusted")};
  expect(genie_plan_open(in_folder("t.gplan"), &options, genie_allocator_heap(), &plan), GENIE_STATUS_OK, NULL);
  genie_plan_close(plan);
  options.trusted_keys_path = in_folder("others");
  expect(genie_plan_open(in_folder("t.gplan"), &options, genie_allocator_heap(), &plan), GENIE_STATUS_PERMISSION_DENIED,
         "does not list");
  options.trusted_keys_path = in_folder("base64");
  expect(genie_plan_open(in_folder("t.gplan"), &options, genie_allocator_heap(), &plan), GENIE_STATUS_PERMISSION_DENIED,
         NULL);
  options.trusted_keys_path = in_folder("wrong");
  expect(genie_plan_open(in_folder("t.gplan"), &options, genie_allocator_heap(), &plan), GENIE_STATUS_INVALID_ARGUMENT,
         "wrong:1");
  options.trusted_keys_path = in_folder("absent");
  expect(genie_plan_open(in_folder("t.gplan"), &options, genie_allocator_heap(), &plan), GENIE_STATUS_NOT_FOUND,
         "absent");
}

static void a_call_takes_its_sizes_from_its_inputs(void **state) {
  (void)state;
  write_example("e.gplan", NULL);
  genie_plan_t *plan = open_example("e.gplan");
  int64_t values[16];
  int64_t x[2] = {5, GENIE_PLAN_EXAMPLE_COLUMNS};
  int64_t y[1] = {6};
  const int64_t *dims[2] = {x, y};
  expect(genie_plan_bind(plan, 0, dims, values), GENIE_STATUS_OK, NULL);
  assert_int_equal(values[7], 5 * GENIE_PLAN_EXAMPLE_COLUMNS * 4);
  x[0] = GENIE_PLAN_EXAMPLE_ROWS + 1;
  expect(genie_plan_bind(plan, 0, dims, values), GENIE_STATUS_INVALID_ARGUMENT, "input 'x': dimension 0 is 65");
  x[0] = 5;
  x[1] = 9;
  expect(genie_plan_bind(plan, 0, dims, values), GENIE_STATUS_INVALID_ARGUMENT,
         "input 'x': dimension 1 is 9; it must be 8");
  x[1] = 8;
  y[0] = 5;
  expect(genie_plan_bind(plan, 0, dims, values), GENIE_STATUS_INVALID_ARGUMENT, "multiples of 2");
  genie_plan_close(plan);
}

static void a_device_gets_the_best_code_it_can_run(void **state) {
  (void)state;
  write_example("f.gplan", NULL);
  genie_plan_t *plan = open_example("f.gplan");
  uint32_t target = 9;
  expect(genie_plan_select_target(plan, "cpu", "other,fused_multiply,wide_vectors", &target), GENIE_STATUS_OK, NULL);
  assert_int_equal(target, 1);
  expect(genie_plan_select_target(plan, "cpu", "wide_vector", &target), GENIE_STATUS_OK, NULL);
  assert_int_equal(target, 0);
  expect(genie_plan_select_target(plan, "cuda", "", &target), GENIE_STATUS_FAILED_PRECONDITION, "kind 'cuda'");
  genie_plan_close(plan);
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  example.targets[0].features = example.targets[1].features;
  expect(genie_plan_example_write(&example, in_folder("g.gplan"), NULL), GENIE_STATUS_OK, NULL);
  plan = open_example("g.gplan");
  expect(genie_plan_select_target(plan, "cpu", "wide_vectors", &target), GENIE_STATUS_FAILED_PRECONDITION,
         "lacks fused_multiply");
  genie_plan_close(plan);
}

static void names_are_found_and_alternatives_listed(void **state) {
  (void)state;
  write_example("n.gplan", NULL);
  genie_plan_t *plan = open_example("n.gplan");
  uint32_t found = 9;
  expect(genie_plan_find_entry(plan, "reset", &found), GENIE_STATUS_OK, NULL);
  assert_int_equal(found, 1);
  expect(genie_plan_find_entry(plan, NULL, &found), GENIE_STATUS_OK, NULL);
  assert_int_equal(found, 0);
  expect(genie_plan_find_entry(plan, "train", &found), GENIE_STATUS_NOT_FOUND, "main, reset");
  expect(genie_plan_find_output(plan, 0, "saved", &found), GENIE_STATUS_OK, NULL);
  assert_int_equal(found, 1);
  expect(genie_plan_find_input(plan, 0, "z", &found), GENIE_STATUS_NOT_FOUND, "x, y");
  genie_plan_close(plan);
}

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof(folder), "/tmp/genie_plan_XXXXXX");
  return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
  (void)state;
  remove_all();
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_back_what_was_written),
      cmocka_unit_test(equal_input_gives_equal_bytes),
      cmocka_unit_test(damaged_weights_are_found),
      cmocka_unit_test(a_failed_write_leaves_no_file),
      cmocka_unit_test(a_signature_is_checked),
      cmocka_unit_test(only_trusted_keys_are_accepted),
      cmocka_unit_test(a_call_takes_its_sizes_from_its_inputs),
      cmocka_unit_test(a_device_gets_the_best_code_it_can_run),
      cmocka_unit_test(names_are_found_and_alternatives_listed),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
