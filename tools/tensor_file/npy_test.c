#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tensor_file/tensor_file.h"

#include <cmocka.h>

enum { kPrefixBytes = 10 };

// A version 1 file with `header` and `data_bytes` zero bytes.
static genie_status_t parse_text(const char *header, size_t data_bytes, genie_tensor_t *out_tensor) {
  static uint8_t file[4096];
  const size_t length = strlen(header);
  memset(file, 0, sizeof(file));
  memcpy(file, "\x93NUMPY\x01\x00", 8);
  file[8] = (uint8_t)length;
  file[9] = (uint8_t)(length >> 8);
  memcpy(file + kPrefixBytes, header, length);
  return genie_npy_parse(file, kPrefixBytes + length + data_bytes, out_tensor);
}

static void test_headers_of_numpy_are_read(void **state) {
  (void)state;
  static const struct {
    const char *header;
    genie_dtype_t dtype;
    int32_t rank;
    int64_t shape[2];
    size_t bytes;
  } kCases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", GENIE_DTYPE_F32, 2, {2, 3}, 24},
      {"{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }\n", GENIE_DTYPE_I64, 1, {5}, 40},
      {"{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", GENIE_DTYPE_BOOL, 0, {0}, 1},
      {"{'descr': '<f8', 'fortran_order': True, 'shape': (3,), }\n", GENIE_DTYPE_F64, 1, {3}, 24},
      {"{\"shape\":(0,4),\"descr\":\"<f2\",\"fortran_order\":False}", GENIE_DTYPE_F16, 2, {0, 4}, 0},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    genie_tensor_t tensor;
    assert_int_equal(parse_text(kCases[i].header, kCases[i].bytes, &tensor), GENIE_OK);
    assert_int_equal(tensor.dtype, kCases[i].dtype);
    assert_int_equal(tensor.rank, kCases[i].rank);
    assert_memory_equal(tensor.shape, kCases[i].shape, (size_t)kCases[i].rank * sizeof(int64_t));
  }
}

static void test_what_is_no_plain_array_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *header;
    const char *message;
  } kCases[] = {
      {"", "no dictionary"},
      {"{", "not the dictionary"},
      {"{'descr': '<f4'", "does not end"},
      {"{'descr': '<f4', }", "lacks"},
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "big-endian"},
      {"{'descr': '<V2', 'fortran_order': False, 'shape': (1,), }", "safetensors"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "what numpy writes"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structure"},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", "Fortran"},
      {"{'descr': '<f4', 'fortran_order': 1, 'shape': (1, 2), }", "neither"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "not a size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "not a size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "more than 8"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "truncated"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "truncated"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", "does not end"},
      {"{'evil': __import__('os')}", "has a key 'evil'"},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    genie_tensor_t tensor;
    const genie_status_t status = parse_text(kCases[i].header, 8, &tensor);
    if (status == GENIE_OK || strstr(genie_status_message(status), kCases[i].message) == NULL) {
      fail_msg("%s gives: %s", kCases[i].header, genie_status_message(status));
    }
    genie_status_free(status);
  }
}

static void test_a_truncated_file_is_refused(void **state) {
  (void)state;
  static const char kFile[] =
      "\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n0000";
  for (size_t size = 0; size < sizeof(kFile) - 1; ++size) {
    genie_tensor_t tensor;
    const genie_status_t status = genie_npy_parse(kFile, size, &tensor);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    genie_status_free(status);
  }
}

static void test_what_is_written_is_read(void **state) {
  (void)state;
  char path[] = "/tmp/genie-npy-XXXXXX";
  close(mkstemp(path));
  for (int32_t rank = 0; rank <= GENIE_MAX_RANK; ++rank) {
    float values[256];
    genie_tensor_t tensor = {.data = values, .dtype = GENIE_DTYPE_F32, .rank = rank};
    for (int i = 0; i < 256; ++i) {
      values[i] = (float)i;
    }
    for (int32_t i = 0; i < rank; ++i) {
      tensor.shape[i] = 2;
    }
    assert_int_equal(genie_npy_write(path, &tensor), GENIE_OK);
    genie_tensor_file_t file;
    genie_tensor_t read;
    assert_int_equal(genie_tensor_file_read(path, genie_allocator_heap(), &file), GENIE_OK);
    assert_int_equal(genie_npy_parse(file.bytes, file.size_bytes, &read), GENIE_OK);
    assert_int_equal(read.rank, rank);
    assert_memory_equal(read.shape, tensor.shape, sizeof(read.shape));
    assert_int_equal((uintptr_t)read.data % 64, 0);
    assert_memory_equal(read.data, values, sizeof(float) << rank);
    genie_tensor_file_free(&file);
  }
  unlink(path);
}

static void test_bf16_is_sent_elsewhere(void **state) {
  (void)state;
  uint16_t value = 0;
  const genie_tensor_t tensor = {.data = &value, .dtype = GENIE_DTYPE_BF16, .rank = 0};
  const genie_status_t status = genie_npy_write("/tmp/genie-never-written.npy", &tensor);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNIMPLEMENTED);
  assert_non_null(strstr(genie_status_message(status), "safetensors"));
  genie_status_free(status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_headers_of_numpy_are_read),   cmocka_unit_test(test_what_is_no_plain_array_is_refused),
      cmocka_unit_test(test_a_truncated_file_is_refused), cmocka_unit_test(test_what_is_written_is_read),
      cmocka_unit_test(test_bf16_is_sent_elsewhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
