// libFuzzer: the validators of data frames. The first eight bytes are the payload's size, the rest is the header; what
// a validator accepts is walked as a node would walk it, and written again must be the same bytes.
#include <stdlib.h>
#include <string.h>

#include "remote_exec/wire/frame.h"

static void check_same(const void *written, size_t written_bytes, const uint8_t *header, size_t header_bytes) {
  if (written_bytes != header_bytes || memcmp(written, header, header_bytes) != 0) {
    abort();
  }
}

static void try_call(const uint8_t *header, size_t header_bytes, uint64_t payload_bytes) {
  genie_wire_call_view_t call;
  const genie_status_t status = genie_wire_call_read(header, header_bytes, payload_bytes, &call);
  if (status == GENIE_OK) {
    static uint8_t again[GENIE_WIRE_MAX_HEADER_BYTES];
    size_t again_bytes = 0;
    genie_status_free(genie_wire_call_write(&call, again, sizeof(again), &again_bytes));
    check_same(again, again_bytes, header, header_bytes);
  }
  genie_status_free(status);
}

static void try_result(const uint8_t *header, size_t header_bytes, uint64_t payload_bytes) {
  genie_wire_result_view_t result;
  const genie_status_t status = genie_wire_result_read(header, header_bytes, payload_bytes, &result);
  if (status == GENIE_OK) {
    static uint8_t again[GENIE_WIRE_MAX_HEADER_BYTES];
    size_t again_bytes = 0;
    genie_status_free(genie_wire_result_write(&result, again, sizeof(again), &again_bytes));
    check_same(again, again_bytes, header, header_bytes);
  }
  genie_status_free(status);
}

static void try_batch(const uint8_t *bytes, size_t size_bytes) {
  genie_wire_batch_item_t item;
  const uint8_t *header = NULL;
  const uint8_t *payload = NULL;
  genie_status_t status = GENIE_OK;
  volatile uint8_t last = 0;
  for (size_t offset = 0; status == GENIE_OK && offset < size_bytes;) {
    status = genie_wire_batch_next(bytes, size_bytes, &offset, &item, &header, &payload);
    if (status == GENIE_OK) {
      last = item.payload_bytes > 0 ? payload[item.payload_bytes - 1] : header[item.header_bytes - 1];
    }
  }
  (void)last;
  genie_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
  uint64_t payload_bytes = 0;
  if (size_bytes < sizeof(payload_bytes) || size_bytes > GENIE_WIRE_MAX_HEADER_BYTES) {
    return 0;
  }
  memcpy(&payload_bytes, data, sizeof(payload_bytes));
  const size_t header_bytes = size_bytes - sizeof(payload_bytes);
  uint8_t *header = malloc(header_bytes + 1);
  memcpy(header, data + sizeof(payload_bytes), header_bytes);
  try_batch(header, header_bytes);
  genie_wire_prefix_t prefix;
  const genie_status_t status = genie_wire_prefix_read(header, header_bytes, payload_bytes, GENIE_WIRE_FROM_EITHER,
                                                       GENIE_WIRE_ROLE_NONE, &prefix);
  if (status == GENIE_OK) {
    genie_wire_cancel_t cancel;
    genie_wire_tensor_t tensor;
    genie_wire_heartbeat_t heartbeat;
    genie_wire_credit_t credit;
    genie_wire_batch_t batch;
    switch (prefix.kind) {
      case GENIE_WIRE_CALL:
        try_call(header, header_bytes, payload_bytes);
        break;
      case GENIE_WIRE_RESULT:
        try_result(header, header_bytes, payload_bytes);
        break;
      case GENIE_WIRE_CANCEL:
        genie_status_free(genie_wire_cancel_read(header, header_bytes, &cancel));
        break;
      case GENIE_WIRE_TENSOR:
        genie_status_free(genie_wire_tensor_read(header, header_bytes, payload_bytes, &tensor));
        break;
      case GENIE_WIRE_HEARTBEAT:
        genie_status_free(genie_wire_heartbeat_read(header, header_bytes, &heartbeat));
        break;
      case GENIE_WIRE_CREDIT:
        genie_status_free(genie_wire_credit_read(header, header_bytes, &credit));
        break;
      case GENIE_WIRE_BATCH:
        genie_status_free(genie_wire_batch_read(header, header_bytes, &batch));
        break;
      default:
        break;
    }
  }
  genie_status_free(status);
  free(header);
  return 0;
}
