// Data frames: what is written is read back, and what breaks the layout is refused.
#include "remote_exec/wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { kCapacity = 4096 };

static void expect(genie_status_t status, genie_status_code_t code) {
  if (genie_status_code(status) != code) {
    print_error("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  }
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

static const int64_t kSymbols[] = {1, 384};
static const genie_wire_slot_t kInputs[] = {{.index = 0, .bytes = 100}, {.index = 2, .bytes = 28}};
static const uint32_t kOutputs[] = {0, 1, 5};

static size_t write_call(void *buffer) {
  const genie_wire_call_view_t call = {
      .frame = {.session_id = 7,
                .call_id = 8,
                .timeout_ns = 9,
                .entry = 1,
                .symbol_count = 2,
                .input_count = 2,
                .output_count = 3},
      .symbols = kSymbols,
      .inputs = kInputs,
      .outputs = kOutputs,
  };
  size_t bytes = 0;
  expect(genie_wire_call_write(&call, buffer, kCapacity, &bytes), GENIE_STATUS_OK);
  return bytes;
}

static void a_call_is_read_as_it_was_written(void **state) {
  (void)state;
  _Alignas(8) uint8_t buffer[kCapacity];
  const size_t bytes = write_call(buffer);
  genie_wire_prefix_t prefix;
  genie_wire_call_view_t call;
  expect(genie_wire_prefix_read(buffer, bytes, 128, GENIE_WIRE_FROM_CLIENT, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_OK);
  assert_int_equal(prefix.kind, GENIE_WIRE_CALL);
  expect(genie_wire_call_read(buffer, bytes, 128, &call), GENIE_STATUS_OK);
  assert_int_equal(call.frame.session_id, 7);
  assert_int_equal(call.frame.call_id, 8);
  assert_int_equal(call.frame.timeout_ns, 9);
  assert_memory_equal(call.symbols, kSymbols, sizeof(kSymbols));
  assert_memory_equal(call.inputs, kInputs, sizeof(kInputs));
  assert_memory_equal(call.outputs, kOutputs, sizeof(kOutputs));
  assert_int_equal(call.payload_bytes, 128);
}

static void a_result_is_read_as_it_was_written(void **state) {
  (void)state;
  _Alignas(8) uint8_t buffer[kCapacity];
  const genie_wire_result_view_t good = {.frame = {.session_id = 7, .call_id = 8, .compute_ns = 5, .output_count = 2},
                                         .outputs = kInputs};
  const genie_wire_result_view_t bad = {
      .frame = {.session_id = 7, .call_id = 8, .code = GENIE_STATUS_ABORTED, .message_bytes = 9},
      .message = "a\nb is it"};
  size_t bytes = 0;
  genie_wire_result_view_t result;
  expect(genie_wire_result_write(&good, buffer, kCapacity, &bytes), GENIE_STATUS_OK);
  expect(genie_wire_result_read(buffer, bytes, 128, &result), GENIE_STATUS_OK);
  assert_memory_equal(result.outputs, kInputs, sizeof(kInputs));
  expect(genie_wire_result_write(&bad, buffer, kCapacity, &bytes), GENIE_STATUS_OK);
  expect(genie_wire_result_read(buffer, bytes, 0, &result), GENIE_STATUS_OK);
  assert_int_equal(result.frame.code, GENIE_STATUS_ABORTED);
  assert_memory_equal(result.message, "a b is it", 9);
}

static void small_frames_are_read_as_they_were_written(void **state) {
  (void)state;
  const uint64_t checksum = 99;
  genie_wire_tensor_t tensor;
  genie_wire_tensor_t tensor_read;
  genie_wire_tensor_init(1, 2, 3, 4096, &checksum, &tensor);
  genie_wire_prefix_t prefix;
  expect(genie_wire_prefix_read(&tensor, sizeof(tensor), 4096, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_PEER, &prefix),
         GENIE_STATUS_OK);
  expect(genie_wire_tensor_read(&tensor, sizeof(tensor), 4096, &tensor_read), GENIE_STATUS_OK);
  assert_memory_equal(&tensor, &tensor_read, sizeof(tensor));
  expect(genie_wire_tensor_read(&tensor, sizeof(tensor), 4095, &tensor_read), GENIE_STATUS_INVALID_ARGUMENT);
  genie_wire_cancel_t cancel;
  genie_wire_cancel_t cancel_read;
  genie_wire_cancel_init(1, 2, GENIE_STATUS_CANCELLED, &cancel);
  expect(genie_wire_cancel_read(&cancel, sizeof(cancel), &cancel_read), GENIE_STATUS_OK);
  assert_memory_equal(&cancel, &cancel_read, sizeof(cancel));
  genie_wire_heartbeat_t heartbeat;
  genie_wire_heartbeat_t heartbeat_read;
  genie_wire_heartbeat_init(1, 2, &heartbeat);
  expect(genie_wire_heartbeat_read(&heartbeat, sizeof(heartbeat), &heartbeat_read), GENIE_STATUS_OK);
  assert_memory_equal(&heartbeat, &heartbeat_read, sizeof(heartbeat));
  genie_wire_credit_t credit;
  genie_wire_credit_t credit_read;
  genie_wire_credit_init(77, &credit);
  expect(genie_wire_credit_read(&credit, sizeof(credit), &credit_read), GENIE_STATUS_OK);
  assert_int_equal(credit_read.bytes, 77);
}

static void a_prefix_keeps_to_its_row_of_the_table(void **state) {
  (void)state;
  genie_wire_heartbeat_t heartbeat;
  genie_wire_prefix_t prefix;
  genie_wire_heartbeat_init(1, 2, &heartbeat);
  expect(genie_wire_prefix_read(&heartbeat, 7, 0, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
  expect(genie_wire_prefix_read(&heartbeat, 16, 0, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
  expect(genie_wire_prefix_read(&heartbeat, sizeof(heartbeat), 1, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_OUT_OF_RANGE);
  heartbeat.prefix.flags = 1;
  expect(genie_wire_prefix_read(&heartbeat, sizeof(heartbeat), 0, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
  heartbeat.prefix = (genie_wire_prefix_t){.kind = 9999, .header_bytes = sizeof(heartbeat)};
  expect(genie_wire_prefix_read(&heartbeat, sizeof(heartbeat), 0, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
  _Alignas(8) uint8_t call[kCapacity];
  const size_t bytes = write_call(call);
  expect(genie_wire_prefix_read(call, bytes, 128, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CALL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
  expect(genie_wire_prefix_read(call, bytes, 128, GENIE_WIRE_FROM_CLIENT, GENIE_WIRE_ROLE_CONTROL, &prefix),
         GENIE_STATUS_INVALID_ARGUMENT);
}

// Byte offsets of the CALL that write_call makes.
enum { kCallInputs = sizeof(genie_wire_call_t) + sizeof(kSymbols) };

static void a_damaged_call_is_refused(void **state) {
  (void)state;
  static const struct {
    size_t offset;
    uint32_t value;
  } kDamages[] = {
      {offsetof(genie_wire_call_t, symbol_count), 3},
      {offsetof(genie_wire_call_t, symbol_count), 0xffffffff},
      {offsetof(genie_wire_call_t, input_count), 0x10000000},
      {offsetof(genie_wire_call_t, output_count), 0xffffffff},
      {offsetof(genie_wire_call_t, call_id), 0},
      {sizeof(genie_wire_call_t) + 4, 0x80000000},  // a negative size
      {kCallInputs, 2},                             // the same index twice
      {kCallInputs + 4, 1},                         // reserved
      {kCallInputs + 8, 99},                        // bytes that do not add up
      {kCallInputs + 12, 0xffffffff},
      {kCallInputs + 2 * sizeof(genie_wire_slot_t) + 4, 0},   // outputs that do not ascend
      {kCallInputs + 2 * sizeof(genie_wire_slot_t) + 12, 1},  // padding
  };
  for (size_t i = 0; i < sizeof(kDamages) / sizeof(kDamages[0]); ++i) {
    _Alignas(8) uint8_t buffer[kCapacity];
    const size_t bytes = write_call(buffer);
    memcpy(buffer + kDamages[i].offset, &kDamages[i].value, sizeof(uint32_t));
    genie_wire_call_view_t call;
    expect(genie_wire_call_read(buffer, bytes, 128, &call), GENIE_STATUS_INVALID_ARGUMENT);
  }
}

static void too_many_slots_are_refused_before_they_are_written(void **state) {
  (void)state;
  _Alignas(8) uint8_t buffer[kCapacity];
  size_t bytes = 0;
  const genie_wire_call_view_t call = {.frame = {.call_id = 1, .input_count = GENIE_WIRE_MAX_SLOTS + 1}};
  const genie_wire_call_view_t large = {.frame = {.call_id = 1, .input_count = kCapacity / 16}};
  expect(genie_wire_call_write(&call, buffer, kCapacity, &bytes), GENIE_STATUS_OUT_OF_RANGE);
  expect(genie_wire_call_write(&large, buffer, kCapacity, &bytes), GENIE_STATUS_OUT_OF_RANGE);
}

static void every_row_of_the_table_is_found_once(void **state) {
  (void)state;
  int found = 0;
  for (uint32_t number = 0; number < 1024; ++number) {
    const genie_wire_message_info_t *info = genie_wire_message_find(number);
    if (info != NULL) {
      ++found;
      assert_int_equal(info->kind, number);
      assert_true(info->max_header_bytes <= GENIE_WIRE_MAX_HEADER_BYTES);
      assert_true(info->roles != 0);
    }
  }
  const int rows = 0
#define GENIE_WIRE_MESSAGE(name, number, from, header, payload, roles) +1
#include "remote_exec/wire/message.def"
      ;
  assert_int_equal(found, rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_call_is_read_as_it_was_written),
      cmocka_unit_test(a_result_is_read_as_it_was_written),
      cmocka_unit_test(small_frames_are_read_as_they_were_written),
      cmocka_unit_test(a_prefix_keeps_to_its_row_of_the_table),
      cmocka_unit_test(a_damaged_call_is_refused),
      cmocka_unit_test(too_many_slots_are_refused_before_they_are_written),
      cmocka_unit_test(every_row_of_the_table_is_found_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
