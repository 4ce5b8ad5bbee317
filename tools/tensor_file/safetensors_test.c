#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/tensor_file/tensor_file.h"

#include <cmocka.h>

static char folder[] = "/tmp/genie-safetensors-XXXXXX";

static int set_up(void **state) {
  static genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 1 << 20, &arena);
  *state = &arena;
  return 0;
}

static int tear_down(void **state) {
  genie_arena_deinit(*state);
  return 0;
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);  // fails when a test left a file behind
}

static const char *in_folder(const char *name) {
  static char path[256];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static const genie_named_tensor_t *find(const genie_tensor_set_t *set, const char *name) {
  for (size_t i = 0; i < set->count; ++i) {
    if (strcmp(set->tensors[i].name, name) == 0) {
      return &set->tensors[i];
    }
  }
  return NULL;
}

static void test_what_is_written_is_read(void **state) {
  static float values[6] = {0.0f, 1.0f, -2.5f, 3.0f, 4.0f, 5.0f};
  static uint8_t flags[3] = {1, 0, 1};
  static int64_t scalar = -7;
  genie_named_tensor_t tensors[] = {
      {"flags", {.data = flags, .dtype = GENIE_DTYPE_BOOL, .rank = 1, .shape = {3}}},
      {"a \"quoted\" name", {.data = values, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {2, 3}}},
      {"scalar", {.data = &scalar, .dtype = GENIE_DTYPE_I64}},
      {"empty", {.dtype = GENIE_DTYPE_BF16, .rank = 2, .shape = {0, 4}}},
  };
  const char *path = in_folder("a.safetensors");
  const genie_tensor_set_t written = {tensors, 4};
  assert_int_equal(genie_safetensors_write(path, &written, genie_allocator_heap()), GENIE_OK);
  genie_tensor_file_t file;
  genie_tensor_set_t read;
  assert_int_equal(genie_tensor_file_read(path, genie_allocator_heap(), &file), GENIE_OK);
  assert_int_equal(genie_safetensors_parse(file.bytes, file.size_bytes, *state, &read), GENIE_OK);
  assert_int_equal(read.count, 4);
  for (int i = 0; i < 4; ++i) {
    const genie_named_tensor_t *found = find(&read, tensors[i].name);
    uint64_t bytes = 0;
    assert_non_null(found);
    assert_int_equal(found->tensor.dtype, tensors[i].tensor.dtype);
    assert_int_equal(found->tensor.rank, tensors[i].tensor.rank);
    assert_memory_equal(found->tensor.shape, tensors[i].tensor.shape, sizeof(found->tensor.shape));
    assert_true(genie_tensor_byte_count(&found->tensor, &bytes));
    assert_int_equal((uintptr_t)found->tensor.data % genie_dtype_bytes(found->tensor.dtype), 0);
    if (bytes > 0) {
      assert_memory_equal(found->tensor.data, tensors[i].tensor.data, bytes);
    }
  }
  genie_tensor_file_free(&file);
  unlink(path);
}

static genie_status_t parse_text(genie_arena_t *arena, const char *header, size_t data_bytes) {
  static uint8_t file[4096];
  const size_t length = strlen(header);
  memset(file, 0, sizeof(file));
  file[0] = (uint8_t)length;
  file[1] = (uint8_t)(length >> 8);
  memcpy(file + 8, header, length);
  genie_tensor_set_t set;
  return genie_safetensors_parse(file, 8 + length + data_bytes, arena, &set);
}

static void test_hostile_headers_are_refused(void **state) {
  static const struct {
    const char *header;
    const char *message;
  } kCases[] = {
      {"", "not JSON"},
      {"[1]", "not a JSON object"},
      {"{\"a\": 3}", "not described by an object"},
      {"{\"a\": {}}", "no dtype"},
      {"{\"a\": {\"dtype\": \"F8_E4M3\"}}", "F8_E4M3"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [-1]}}", "dimension 0"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5]}}", "dimension 0"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1]}}", "at most 8"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2]}}", "no data_offsets"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 9]}}", "outside"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [-1, 7]}}", "outside"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}}", "outside"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", "do not take"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], \"data_offsets\": [0, 0]}}", "do not take"},
      {"{\"a\": {\"dtype\": \"F32\", \"shape\": [99999999999999999999], \"data_offsets\": [0, 0]}}", "not JSON"},
      {"{\"a\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]}, \"a\": {}}", "duplicate"},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    const genie_status_t status = parse_text(*state, kCases[i].header, 8);
    assert_int_not_equal(status, GENIE_OK);
    if (strstr(genie_status_message(status), kCases[i].message) == NULL) {
      fail_msg("%s gives: %s", kCases[i].header, genie_status_message(status));
    }
    genie_status_free(status);
  }
}

static void test_a_header_longer_than_the_file_is_refused(void **state) {
  static const uint8_t kFile[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
  genie_tensor_set_t set;
  for (size_t size = 0; size <= sizeof(kFile); ++size) {
    const genie_status_t status = genie_safetensors_parse(kFile, size, *state, &set);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    genie_status_free(status);
  }
}

// RLIMIT_FSIZE stands for a full disk: the write fails in the middle.
static void test_a_failed_write_leaves_nothing(void **state) {
  (void)state;
  static uint8_t bytes[100000];
  genie_named_tensor_t tensor = {"x", {.data = bytes, .dtype = GENIE_DTYPE_U8, .rank = 1, .shape = {sizeof(bytes)}}};
  const genie_tensor_set_t set = {&tensor, 1};
  struct rlimit previous, small;
  getrlimit(RLIMIT_FSIZE, &previous);
  small = (struct rlimit){.rlim_cur = 5000, .rlim_max = previous.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const genie_status_t status = genie_safetensors_write(in_folder("full"), &set, genie_allocator_heap());
  setrlimit(RLIMIT_FSIZE, &previous);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
  genie_status_free(status);
  assert_int_not_equal(access(in_folder("full"), F_OK), 0);
}

static void test_an_impossible_target_is_named(void **state) {
  (void)state;
  const genie_tensor_set_t set = {0};
  genie_status_t status = genie_safetensors_write(in_folder("missing/x"), &set, genie_allocator_heap());
  assert_int_equal(genie_status_code(status), GENIE_STATUS_NOT_FOUND);
  genie_status_free(status);
  status = genie_safetensors_write(folder, &set, genie_allocator_heap());
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_what_is_written_is_read, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hostile_headers_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_header_longer_than_the_file_is_refused, set_up, tear_down),
      cmocka_unit_test(test_a_failed_write_leaves_nothing),
      cmocka_unit_test(test_an_impossible_target_is_named),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
