// Promises: every message of tests/corpus/wire/good is read, for ever; each of bad/ fails with the status in its name.
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/wire/control.h"

#include <cmocka.h>

enum { kCapacity = 65536 };

static genie_status_t read_control(const uint8_t *header, size_t header_bytes) {
  genie_wire_control_t control = {0};
  const genie_status_t status = genie_wire_control_decode(header, header_bytes, genie_allocator_heap(), &control);
  genie_wire_control_deinit(&control);
  return status;
}

static genie_status_t read_message(const uint8_t *header, size_t header_bytes, uint64_t payload_bytes) {
  genie_wire_prefix_t prefix;
  genie_wire_call_view_t call;
  genie_wire_result_view_t result;
  genie_wire_cancel_t cancel;
  genie_wire_tensor_t tensor;
  genie_wire_heartbeat_t heartbeat;
  genie_wire_credit_t credit;
  genie_wire_batch_t batch;
  GENIE_RETURN_IF_ERROR(genie_wire_prefix_read(header, header_bytes, payload_bytes, GENIE_WIRE_FROM_EITHER,
                                               GENIE_WIRE_ROLE_NONE, &prefix));
  switch (prefix.kind) {
    case GENIE_WIRE_CALL:
      return genie_wire_call_read(header, header_bytes, payload_bytes, &call);
    case GENIE_WIRE_RESULT:
      return genie_wire_result_read(header, header_bytes, payload_bytes, &result);
    case GENIE_WIRE_CANCEL:
      return genie_wire_cancel_read(header, header_bytes, &cancel);
    case GENIE_WIRE_TENSOR:
      return genie_wire_tensor_read(header, header_bytes, payload_bytes, &tensor);
    case GENIE_WIRE_HEARTBEAT:
      return genie_wire_heartbeat_read(header, header_bytes, &heartbeat);
    case GENIE_WIRE_CREDIT:
      return genie_wire_credit_read(header, header_bytes, &credit);
    case GENIE_WIRE_BATCH:
      return genie_wire_batch_read(header, header_bytes, &batch);
    default:
      return read_control(header, header_bytes);
  }
}

static genie_status_t read_file(const char *folder, const char *name) {
  _Alignas(8) static uint8_t header[kCapacity];
  char path[512];
  uint64_t payload_bytes = 0;
  snprintf(path, sizeof(path), "tests/corpus/wire/%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fread(&payload_bytes, sizeof(payload_bytes), 1, file), 1);
  const size_t header_bytes = fread(header, 1, sizeof(header), file);
  fclose(file);
  return read_message(header, header_bytes, payload_bytes);
}

// Whether `name` starts with the status's code in lower case, then a dash.
static bool is_named_for(const char *name, genie_status_t status) {
  const char *code = genie_status_code_name(genie_status_code(status));
  size_t i = 0;
  while (code[i] != '\0' && name[i] == (char)tolower((unsigned char)code[i])) {
    ++i;
  }
  return code[i] == '\0' && name[i] == '-';
}

static int read_folder(const char *folder, bool is_good) {
  char path[512];
  int count = 0;
  snprintf(path, sizeof(path), "tests/corpus/wire/%s", folder);
  DIR *directory = opendir(path);
  assert_non_null(directory);
  for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (entry->d_name[0] == '.') {
      continue;
    }
    const genie_status_t status = read_file(folder, entry->d_name);
    const bool is_expected = is_good ? status == GENIE_OK : is_named_for(entry->d_name, status);
    if (!is_expected) {
      print_error("%s: %s\n", entry->d_name, genie_status_message(status));
    }
    assert_true(is_expected);
    genie_status_free(status);
    ++count;
  }
  closedir(directory);
  return count;
}

static void good_messages_are_read(void **state) {
  (void)state;
  assert_true(read_folder("good", /*is_good=*/true) >= 11);
}

static void bad_messages_fail_as_they_are_named(void **state) {
  (void)state;
  assert_true(read_folder("bad", /*is_good=*/false) >= 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_messages_are_read),
      cmocka_unit_test(bad_messages_fail_as_they_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
