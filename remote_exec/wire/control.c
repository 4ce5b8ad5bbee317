#include "remote_exec/wire/control.h"

#include <string.h>

// What a decoded message may take: its bytes unfold by at most this factor, plus a base for its own struct and lists.
enum { kUnfoldFactor = 8, kUnfoldBaseBytes = 16384 };

typedef struct control_entry {
  genie_wire_kind_t kind;
  const ProtobufCMessageDescriptor *descriptor;
} control_entry_t;

static const control_entry_t kControls[] = {
#define GENIE_WIRE_CONTROL(name, number, from, header, payload, roles, type, prefix) \
  {GENIE_WIRE_##name, &prefix##__descriptor},
#include "remote_exec/wire/message.def"
};

static const ProtobufCMessageDescriptor *find_descriptor(genie_wire_kind_t kind) {
  for (size_t i = 0; i < sizeof(kControls) / sizeof(kControls[0]); ++i) {
    if (kControls[i].kind == kind) {
      return kControls[i].descriptor;
    }
  }
  return NULL;
}

bool genie_wire_is_control(genie_wire_kind_t kind) {
  return find_descriptor(kind) != NULL;
}

// protobuf-c's allocator on an arena with a limit: frees are its end.
static void *arena_allocate(void *arena, size_t bytes) {
  void *pointer = NULL;
  const genie_status_t status = genie_arena_allocate(arena, bytes, 1, &pointer);
  genie_status_free(status);
  return status == GENIE_OK ? pointer : NULL;
}

static void arena_release(void *arena, void *pointer) {
  (void)arena;
  (void)pointer;
}

static bool is_printable_line(const char *text) {
  size_t length = 0;
  for (; text[length] != '\0'; ++length) {
    const unsigned char c = (unsigned char)text[length];
    if (length >= GENIE_WIRE_MAX_TEXT_BYTES || c < 0x20 || c == 0x7f) {
      return false;
    }
  }
  return true;
}

static bool has_printable_texts(const ProtobufCMessage *message);

static bool is_field_printable(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
  const uint8_t *base = (const uint8_t *)message;
  const bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
  const size_t count = is_repeated ? *(const size_t *)(base + field->quantifier_offset) : 1;
  const void *values = base + field->offset;
  if (is_repeated) {
    values = *(void *const *)values;
  }
  for (size_t i = 0; i < count; ++i) {
    const void *value = ((void *const *)values)[i];
    if (field->type == PROTOBUF_C_TYPE_STRING && value != NULL && !is_printable_line(value)) {
      return false;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && value != NULL && !has_printable_texts(value)) {
      return false;
    }
  }
  return true;
}

// Our messages nest one deep, so that this recursion does too.
static bool has_printable_texts(const ProtobufCMessage *message) {
  const ProtobufCMessageDescriptor *descriptor = message->descriptor;
  for (unsigned i = 0; i < descriptor->n_fields; ++i) {
    const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
    const bool has_text = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
    if (has_text && !is_field_printable(message, field)) {
      return false;
    }
  }
  return true;
}

genie_status_t genie_wire_control_decode(const void *header, size_t header_bytes, genie_allocator_t allocator,
                                         genie_wire_control_t *out_control) {
  genie_wire_prefix_t prefix;
  memcpy(&prefix, header, sizeof(prefix));
  const ProtobufCMessageDescriptor *descriptor = find_descriptor(prefix.kind);
  if (descriptor == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "message %u is no control message", prefix.kind);
  }
  genie_wire_control_t control = {.kind = prefix.kind};
  genie_arena_init(allocator, header_bytes * kUnfoldFactor + kUnfoldBaseBytes, &control.arena);
  ProtobufCAllocator arena = {.alloc = arena_allocate, .free = arena_release, .allocator_data = &control.arena};
  control.message = protobuf_c_message_unpack(descriptor, &arena, header_bytes - sizeof(prefix),
                                              (const uint8_t *)header + sizeof(prefix));
  if (control.message == NULL || !has_printable_texts(control.message)) {
    const bool is_text = control.message != NULL;
    genie_arena_deinit(&control.arena);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: %s", descriptor->short_name,
                             is_text ? "a text is no printable line of at most 512 bytes"
                                     : "its bytes are no such message, or unfold to more than they may");
  }
  *out_control = control;
  return GENIE_OK;
}

void genie_wire_control_deinit(genie_wire_control_t *control) {
  if (control->message != NULL) {
    genie_arena_deinit(&control->arena);
    control->message = NULL;
  }
}

genie_status_t genie_wire_control_encode(genie_wire_kind_t kind, const ProtobufCMessage *message, void *buffer,
                                         size_t capacity, size_t *out_header_bytes) {
  const ProtobufCMessageDescriptor *descriptor = find_descriptor(kind);
  if (descriptor == NULL || message->descriptor != descriptor) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "message %d is not of the type that message.def names", (int)kind);
  }
  const genie_wire_message_info_t *info = genie_wire_message_find(kind);
  const size_t header_bytes = sizeof(genie_wire_prefix_t) + protobuf_c_message_get_packed_size(message);
  if (header_bytes > capacity || header_bytes > info->max_header_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: takes %zu bytes, at most %zu are allowed", info->name,
                             header_bytes, capacity < info->max_header_bytes ? capacity : info->max_header_bytes);
  }
  const genie_wire_prefix_t prefix = {.kind = (uint16_t)kind, .header_bytes = (uint32_t)header_bytes};
  memcpy(buffer, &prefix, sizeof(prefix));
  protobuf_c_message_pack(message, (uint8_t *)buffer + sizeof(prefix));
  *out_header_bytes = header_bytes;
  return GENIE_OK;
}

genie_status_t genie_wire_error_status(const Genie__Wire__Error *error, const char *peer) {
  const bool is_known = error->code > GENIE_STATUS_OK && error->code <= GENIE_STATUS_INTERNAL;
  return genie_status_make(is_known ? (genie_status_code_t)error->code : GENIE_STATUS_INTERNAL, "%s: %s", peer,
                           error->message);
}
