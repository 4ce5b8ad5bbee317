#include "remote_exec/wire/frame.h"

#include <string.h>

#include "runtime/base/checked_math.h"

enum { kAlignment = 8 };

static genie_status_t malformed(const char *kind, const char *what) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: %s", kind, what);
}

static genie_status_t check_row(const genie_wire_message_info_t *info, size_t header_bytes, uint64_t payload_bytes,
                                genie_wire_side_t from, genie_wire_role_t role) {
  if ((info->from & from) == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: the %s does not send it", info->name,
                             from == GENIE_WIRE_FROM_CLIENT ? "client" : "node");
  }
  if (role != GENIE_WIRE_ROLE_NONE && (info->roles & (1u << role)) == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: is not for a %s connection", info->name,
                             genie_wire_role_name(role));
  }
  if (header_bytes > info->max_header_bytes || payload_bytes > info->max_payload_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                             "%s: %zu bytes of header and %llu of payload, at most %u and %llu are allowed", info->name,
                             header_bytes, (unsigned long long)payload_bytes, info->max_header_bytes,
                             (unsigned long long)info->max_payload_bytes);
  }
  return GENIE_OK;
}

genie_status_t genie_wire_prefix_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_side_t from, genie_wire_role_t role, genie_wire_prefix_t *out_prefix) {
  genie_wire_prefix_t prefix;
  if (header_bytes < sizeof(prefix)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a message header of %zu bytes has no prefix",
                             header_bytes);
  }
  memcpy(&prefix, header, sizeof(prefix));
  const genie_wire_message_info_t *info = genie_wire_message_find(prefix.kind);
  if (info == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no message has the number %u", prefix.kind);
  }
  if (prefix.header_bytes != header_bytes) {
    return malformed(info->name, "its prefix states another size than the header has");
  }
  const uint16_t known_flags = prefix.kind == GENIE_WIRE_TENSOR ? GENIE_WIRE_FLAG_CHECKSUM : 0;
  if ((prefix.flags & ~known_flags) != 0) {
    return malformed(info->name, "has unknown flags");
  }
  GENIE_RETURN_IF_ERROR(check_row(info, header_bytes, payload_bytes, from, role));
  *out_prefix = prefix;
  return GENIE_OK;
}

// Slots name each index once, ascending, and their bytes are the payload.
static genie_status_t check_slots(const char *kind, const genie_wire_slot_t *slots, uint32_t count,
                                  uint64_t payload_bytes) {
  uint64_t sum_bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (slots[i].reserved != 0 || (i > 0 && slots[i].index <= slots[i - 1].index)) {
      return malformed(kind, "its slots are not ascending, or use a reserved field");
    }
    if (!genie_checked_add_u64(sum_bytes, slots[i].bytes, &sum_bytes)) {
      return malformed(kind, "the bytes of its slots overflow");
    }
  }
  return sum_bytes == payload_bytes ? GENIE_OK : malformed(kind, "its slots do not add up to the payload");
}

// The counts are bounded, so that no sum overflows.
static size_t call_bytes(const genie_wire_call_t *frame) {
  const size_t outputs_bytes = ((size_t)frame->output_count * sizeof(uint32_t) + kAlignment - 1) & ~(size_t)7;
  return sizeof(*frame) + (size_t)frame->symbol_count * sizeof(int64_t) +
         (size_t)frame->input_count * sizeof(genie_wire_slot_t) + outputs_bytes;
}

static bool has_call_counts(const genie_wire_call_t *frame) {
  return frame->symbol_count <= GENIE_WIRE_MAX_SYMBOLS && frame->input_count <= GENIE_WIRE_MAX_SLOTS &&
         frame->output_count <= GENIE_WIRE_MAX_SLOTS;
}

static genie_status_t check_call_outputs(const genie_wire_call_view_t *call) {
  const uint32_t count = call->frame.output_count;
  for (uint32_t i = 1; i < count; ++i) {
    if (call->outputs[i] <= call->outputs[i - 1]) {
      return malformed("CALL", "its outputs are not ascending");
    }
  }
  return count % 2 == 0 || call->outputs[count] == 0 ? GENIE_OK : malformed("CALL", "its padding is not zero");
}

genie_status_t genie_wire_call_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                    genie_wire_call_view_t *out_call) {
  genie_wire_call_view_t call = {.payload_bytes = payload_bytes};
  if (header_bytes < sizeof(call.frame)) {
    return malformed("CALL", "is truncated");
  }
  memcpy(&call.frame, header, sizeof(call.frame));
  if (!has_call_counts(&call.frame) || call_bytes(&call.frame) != header_bytes || call.frame.call_id == 0) {
    return malformed("CALL", "its counts do not fit its size, or it has no id");
  }
  const uint8_t *cursor = (const uint8_t *)header + sizeof(call.frame);
  call.symbols = (const int64_t *)cursor;
  cursor += call.frame.symbol_count * sizeof(int64_t);
  call.inputs = (const genie_wire_slot_t *)cursor;
  cursor += call.frame.input_count * sizeof(genie_wire_slot_t);
  call.outputs = (const uint32_t *)cursor;
  for (uint32_t i = 0; i < call.frame.symbol_count; ++i) {
    if (call.symbols[i] < 0) {
      return malformed("CALL", "has a negative size");
    }
  }
  GENIE_RETURN_IF_ERROR(check_slots("CALL", call.inputs, call.frame.input_count, payload_bytes));
  GENIE_RETURN_IF_ERROR(check_call_outputs(&call));
  *out_call = call;
  return GENIE_OK;
}

static size_t result_bytes(const genie_wire_result_t *frame) {
  return sizeof(*frame) + (size_t)frame->output_count * sizeof(genie_wire_slot_t) +
         (((size_t)frame->message_bytes + kAlignment - 1) & ~(size_t)7);
}

static bool has_result_counts(const genie_wire_result_t *frame) {
  return frame->output_count <= GENIE_WIRE_MAX_SLOTS && frame->message_bytes <= GENIE_WIRE_MAX_TEXT_BYTES &&
         (frame->code == GENIE_STATUS_OK ? frame->message_bytes == 0 : frame->output_count == 0);
}

// People's terminals and logs get this text.
static genie_status_t check_message(const genie_wire_result_view_t *result) {
  const size_t padded_bytes = ((size_t)result->frame.message_bytes + kAlignment - 1) & ~(size_t)7;
  for (size_t i = 0; i < padded_bytes; ++i) {
    const unsigned char c = (unsigned char)result->message[i];
    const bool is_good = i < result->frame.message_bytes ? c >= 0x20 && c != 0x7f : c == 0;
    if (!is_good) {
      return malformed("RESULT", "its text has control characters, or its padding is not zero");
    }
  }
  return GENIE_OK;
}

genie_status_t genie_wire_result_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_result_view_t *out_result) {
  genie_wire_result_view_t result = {.payload_bytes = payload_bytes};
  if (header_bytes < sizeof(result.frame)) {
    return malformed("RESULT", "is truncated");
  }
  memcpy(&result.frame, header, sizeof(result.frame));
  if (!has_result_counts(&result.frame) || result_bytes(&result.frame) != header_bytes || result.frame.call_id == 0 ||
      result.frame.reserved != 0) {
    return malformed("RESULT", "its counts do not fit its size or code, or it has no id");
  }
  const uint8_t *cursor = (const uint8_t *)header + sizeof(result.frame);
  result.outputs = (const genie_wire_slot_t *)cursor;
  result.message = (const char *)(cursor + result.frame.output_count * sizeof(genie_wire_slot_t));
  GENIE_RETURN_IF_ERROR(check_slots("RESULT", result.outputs, result.frame.output_count, payload_bytes));
  GENIE_RETURN_IF_ERROR(check_message(&result));
  *out_result = result;
  return GENIE_OK;
}

genie_status_t genie_wire_cancel_read(const void *header, size_t header_bytes, genie_wire_cancel_t *out_cancel) {
  if (header_bytes != sizeof(*out_cancel)) {
    return malformed("CANCEL", "has another size");
  }
  memcpy(out_cancel, header, sizeof(*out_cancel));
  return out_cancel->reserved == 0 && out_cancel->call_id != 0 ? GENIE_OK
                                                               : malformed("CANCEL", "has no id, or reserved bytes");
}

genie_status_t genie_wire_tensor_read(const void *header, size_t header_bytes, uint64_t payload_bytes,
                                      genie_wire_tensor_t *out_tensor) {
  if (header_bytes != sizeof(*out_tensor)) {
    return malformed("TENSOR", "has another size");
  }
  memcpy(out_tensor, header, sizeof(*out_tensor));
  const bool has_checksum = (out_tensor->prefix.flags & GENIE_WIRE_FLAG_CHECKSUM) != 0;
  if (out_tensor->bytes != payload_bytes || out_tensor->call_id == 0) {
    return malformed("TENSOR", "does not state its payload's size, or has no id");
  }
  return out_tensor->reserved == 0 && (has_checksum || out_tensor->checksum == 0)
             ? GENIE_OK
             : malformed("TENSOR", "uses a reserved field");
}

genie_status_t genie_wire_heartbeat_read(const void *header, size_t header_bytes,
                                         genie_wire_heartbeat_t *out_heartbeat) {
  if (header_bytes != sizeof(*out_heartbeat)) {
    return malformed("HEARTBEAT", "has another size");
  }
  memcpy(out_heartbeat, header, sizeof(*out_heartbeat));
  return GENIE_OK;
}

genie_status_t genie_wire_credit_read(const void *header, size_t header_bytes, genie_wire_credit_t *out_credit) {
  if (header_bytes != sizeof(*out_credit)) {
    return malformed("CREDIT", "has another size");
  }
  memcpy(out_credit, header, sizeof(*out_credit));
  return GENIE_OK;
}

genie_status_t genie_wire_batch_read(const void *header, size_t header_bytes, genie_wire_batch_t *out_batch) {
  if (header_bytes != sizeof(*out_batch)) {
    return malformed("BATCH", "has another size");
  }
  memcpy(out_batch, header, sizeof(*out_batch));
  return out_batch->count > 0 && out_batch->reserved == 0 ? GENIE_OK
                                                          : malformed("BATCH", "is empty, or uses a reserved field");
}

size_t genie_wire_batch_item_bytes(size_t header_bytes, size_t payload_bytes) {
  return sizeof(genie_wire_batch_item_t) + ((header_bytes + payload_bytes + kAlignment - 1) & ~(size_t)7);
}

genie_status_t genie_wire_batch_next(const uint8_t *bytes, size_t size_bytes, size_t *offset,
                                     genie_wire_batch_item_t *out_item, const uint8_t **out_header,
                                     const uint8_t **out_payload) {
  const size_t left = size_bytes - *offset;
  if (left < sizeof(*out_item)) {
    return malformed("BATCH", "has fewer messages than it states");
  }
  memcpy(out_item, bytes + *offset, sizeof(*out_item));
  if (out_item->header_bytes == 0 || out_item->header_bytes > left || out_item->payload_bytes > left ||
      genie_wire_batch_item_bytes(out_item->header_bytes, out_item->payload_bytes) > left) {
    return malformed("BATCH", "a message of it is larger than it");
  }
  *out_header = bytes + *offset + sizeof(*out_item);
  *out_payload = *out_header + out_item->header_bytes;
  *offset += genie_wire_batch_item_bytes(out_item->header_bytes, out_item->payload_bytes);
  return GENIE_OK;
}

static genie_wire_prefix_t prefix_of(genie_wire_kind_t kind, size_t header_bytes) {
  return (genie_wire_prefix_t){.kind = (uint16_t)kind, .header_bytes = (uint32_t)header_bytes};
}

static genie_status_t too_large(const char *kind, size_t capacity) {
  return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: its lists do not fit a header of %zu bytes", kind, capacity);
}

// memcpy of nothing may be given NULL.
static uint8_t *append(uint8_t *cursor, const void *source, size_t bytes) {
  if (bytes > 0) {
    memcpy(cursor, source, bytes);
  }
  return cursor + bytes;
}

static uint8_t *append_slots(uint8_t *cursor, const genie_wire_slot_t *slots, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const genie_wire_slot_t slot = {.index = slots[i].index, .bytes = slots[i].bytes};
    cursor = append(cursor, &slot, sizeof(slot));
  }
  return cursor;
}

genie_status_t genie_wire_call_write(const genie_wire_call_view_t *call, void *buffer, size_t capacity,
                                     size_t *out_header_bytes) {
  genie_wire_call_t frame = call->frame;
  if (!has_call_counts(&frame) || call_bytes(&frame) > capacity || call_bytes(&frame) > GENIE_WIRE_MAX_HEADER_BYTES) {
    return too_large("CALL", capacity);
  }
  const size_t header_bytes = call_bytes(&frame);
  frame.prefix = prefix_of(GENIE_WIRE_CALL, header_bytes);
  uint8_t *cursor = append(buffer, &frame, sizeof(frame));
  cursor = append(cursor, call->symbols, frame.symbol_count * sizeof(int64_t));
  cursor = append_slots(cursor, call->inputs, frame.input_count);
  cursor = append(cursor, call->outputs, frame.output_count * sizeof(uint32_t));
  memset(cursor, 0, (size_t)((uint8_t *)buffer + header_bytes - cursor));
  *out_header_bytes = header_bytes;
  return GENIE_OK;
}

genie_status_t genie_wire_result_write(const genie_wire_result_view_t *result, void *buffer, size_t capacity,
                                       size_t *out_header_bytes) {
  genie_wire_result_t frame = result->frame;
  frame.reserved = 0;
  if (!has_result_counts(&frame) || result_bytes(&frame) > capacity ||
      result_bytes(&frame) > GENIE_WIRE_MAX_HEADER_BYTES) {
    return too_large("RESULT", capacity);
  }
  const size_t header_bytes = result_bytes(&frame);
  frame.prefix = prefix_of(GENIE_WIRE_RESULT, header_bytes);
  uint8_t *cursor = append(buffer, &frame, sizeof(frame));
  cursor = append_slots(cursor, result->outputs, frame.output_count);
  for (uint32_t i = 0; i < frame.message_bytes; ++i) {
    const unsigned char c = (unsigned char)result->message[i];
    *cursor++ = c < 0x20 || c == 0x7f ? ' ' : c;
  }
  memset(cursor, 0, (size_t)((uint8_t *)buffer + header_bytes - cursor));
  *out_header_bytes = header_bytes;
  return GENIE_OK;
}

void genie_wire_cancel_init(uint64_t session_id, uint64_t call_id, uint32_t code, genie_wire_cancel_t *out_cancel) {
  *out_cancel = (genie_wire_cancel_t){.prefix = prefix_of(GENIE_WIRE_CANCEL, sizeof(*out_cancel)),
                                      .session_id = session_id,
                                      .call_id = call_id,
                                      .code = code};
}

void genie_wire_tensor_init(uint64_t session_id, uint64_t call_id, uint32_t transfer, uint64_t bytes,
                            const uint64_t *checksum, genie_wire_tensor_t *out_tensor) {
  *out_tensor = (genie_wire_tensor_t){.prefix = prefix_of(GENIE_WIRE_TENSOR, sizeof(*out_tensor)),
                                      .session_id = session_id,
                                      .call_id = call_id,
                                      .transfer = transfer,
                                      .bytes = bytes,
                                      .checksum = checksum != NULL ? *checksum : 0};
  out_tensor->prefix.flags = checksum != NULL ? GENIE_WIRE_FLAG_CHECKSUM : 0;
}

void genie_wire_heartbeat_init(uint64_t sequence, uint64_t sent_ns, genie_wire_heartbeat_t *out_heartbeat) {
  *out_heartbeat = (genie_wire_heartbeat_t){
      .prefix = prefix_of(GENIE_WIRE_HEARTBEAT, sizeof(*out_heartbeat)), .sequence = sequence, .sent_ns = sent_ns};
}

void genie_wire_credit_init(uint64_t bytes, genie_wire_credit_t *out_credit) {
  *out_credit = (genie_wire_credit_t){.prefix = prefix_of(GENIE_WIRE_CREDIT, sizeof(*out_credit)), .bytes = bytes};
}

void genie_wire_batch_init(uint32_t count, genie_wire_batch_t *out_batch) {
  *out_batch = (genie_wire_batch_t){.prefix = prefix_of(GENIE_WIRE_BATCH, sizeof(*out_batch)), .count = count};
}
