// Writes tests/corpus/wire: good messages of each kind, and bad ones whose file names have the status. A file is eight
// bytes of payload size, then the header.
//
//     wire_corpus FOLDER
//
// Good messages of a release stay in the corpus for ever.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote_exec/wire/hello.h"

enum { kCapacity = 4096 };

static const char *folder;

typedef struct corpus_message {
  _Alignas(8) uint8_t header[kCapacity];
  size_t header_bytes;
  uint64_t payload_bytes;
} corpus_message_t;

static void write_file(const char *kind, const char *name, const corpus_message_t *message) {
  char path[512];
  snprintf(path, sizeof(path), "%s/%s/%s.bin", folder, kind, name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(&message->payload_bytes, 8, 1, file) != 1 ||
      fwrite(message->header, 1, message->header_bytes, file) != message->header_bytes || fclose(file) != 0) {
    fprintf(stderr, "wire_corpus: cannot write %s\n", path);
    exit(1);
  }
}

// A bad message is a good one with 32 bits changed.
static void write_bad(const char *name, corpus_message_t message, size_t offset, uint32_t value) {
  memcpy(message.header + offset, &value, sizeof(value));
  write_file("bad", name, &message);
}

static corpus_message_t copy_frame(const void *frame, size_t bytes, uint64_t payload_bytes) {
  corpus_message_t message = {.header_bytes = bytes, .payload_bytes = payload_bytes};
  memcpy(message.header, frame, bytes);
  return message;
}

static corpus_message_t encode(genie_wire_kind_t kind, const ProtobufCMessage *body, uint64_t payload_bytes) {
  corpus_message_t message = {.payload_bytes = payload_bytes};
  const genie_status_t status = genie_wire_control_encode(kind, body, message.header, kCapacity, &message.header_bytes);
  if (status != GENIE_OK) {
    fprintf(stderr, "wire_corpus: %s\n", genie_status_message(status));
    exit(1);
  }
  return message;
}

static void write_calls(void) {
  static const int64_t kSymbols[] = {1, 384};
  static const genie_wire_slot_t kSlots[] = {{.index = 0, .bytes = 100}, {.index = 2, .bytes = 28}};
  static const uint32_t kOutputs[] = {0, 1, 5};
  enum { kInputs = sizeof(genie_wire_call_t) + sizeof(kSymbols) };
  const genie_wire_call_view_t call = {
      .frame = {.session_id = 7, .call_id = 8, .entry = 1, .symbol_count = 2, .input_count = 2, .output_count = 3},
      .symbols = kSymbols,
      .inputs = kSlots,
      .outputs = kOutputs};
  corpus_message_t message = {.payload_bytes = 128};
  genie_status_free(genie_wire_call_write(&call, message.header, kCapacity, &message.header_bytes));
  write_file("good", "call", &message);
  write_bad("invalid_argument-call-symbols", message, offsetof(genie_wire_call_t, symbol_count), 3);
  write_bad("invalid_argument-call-many-inputs", message, offsetof(genie_wire_call_t, input_count), 0x10000000);
  write_bad("invalid_argument-call-no-id", message, offsetof(genie_wire_call_t, call_id), 0);
  write_bad("invalid_argument-call-negative-size", message, sizeof(genie_wire_call_t) + 4, 0x80000000);
  write_bad("invalid_argument-call-slot-twice", message, kInputs, 2);
  write_bad("invalid_argument-call-slot-reserved", message, kInputs + 4, 1);
  write_bad("invalid_argument-call-slot-bytes", message, kInputs + 8, 99);
  write_bad("invalid_argument-call-slot-overflow", message, kInputs + 12, 0xffffffff);
  write_bad("invalid_argument-call-padding", message, kInputs + sizeof(kSlots) + 12, 1);
  const genie_wire_result_view_t result = {.frame = {.session_id = 7, .call_id = 8, .output_count = 2},
                                           .outputs = kSlots};
  genie_status_free(genie_wire_result_write(&result, message.header, kCapacity, &message.header_bytes));
  write_file("good", "result", &message);
  write_bad("invalid_argument-result-code-with-outputs", message, offsetof(genie_wire_result_t, code), 11);
  write_bad("invalid_argument-result-reserved", message, offsetof(genie_wire_result_t, reserved), 1);
}

static void write_small_frames(void) {
  const uint64_t checksum = 99;
  genie_wire_tensor_t tensor;
  genie_wire_tensor_init(1, 2, 3, 4096, &checksum, &tensor);
  const corpus_message_t message = copy_frame(&tensor, sizeof(tensor), 4096);
  write_file("good", "tensor", &message);
  write_bad("invalid_argument-tensor-bytes", message, offsetof(genie_wire_tensor_t, bytes), 4095);
  write_bad("invalid_argument-tensor-checksum-without-flag", message, offsetof(genie_wire_prefix_t, kind),
            GENIE_WIRE_TENSOR);
  write_bad("invalid_argument-unknown-flag", message, offsetof(genie_wire_prefix_t, kind),
            GENIE_WIRE_TENSOR | 2u << 16);
  write_bad("invalid_argument-unknown-kind", message, offsetof(genie_wire_prefix_t, kind), 9999);
  write_bad("invalid_argument-other-size", message, offsetof(genie_wire_prefix_t, header_bytes), 40);
  genie_wire_cancel_t cancel;
  genie_wire_cancel_init(1, 2, GENIE_STATUS_CANCELLED, &cancel);
  corpus_message_t small = copy_frame(&cancel, sizeof(cancel), 0);
  write_file("good", "cancel", &small);
  small.payload_bytes = 1;
  write_file("bad", "out_of_range-cancel-payload", &small);
  genie_wire_heartbeat_t heartbeat;
  genie_wire_heartbeat_init(1, 2, &heartbeat);
  small = copy_frame(&heartbeat, sizeof(heartbeat), 0);
  write_file("good", "heartbeat", &small);
  small.header_bytes = 7;
  write_file("bad", "invalid_argument-no-prefix", &small);
  genie_wire_credit_t credit;
  genie_wire_credit_init(77, &credit);
  small = copy_frame(&credit, sizeof(credit), 0);
  write_file("good", "credit", &small);
  genie_wire_batch_t batch;
  genie_wire_batch_init(2, &batch);
  small = copy_frame(&batch, sizeof(batch), 64);
  write_file("good", "batch", &small);
  write_bad("invalid_argument-batch-empty", small, offsetof(genie_wire_batch_t, count), 0);
}

static void write_control(void) {
  uint8_t token[GENIE_WIRE_TOKEN_BYTES] = {1, 2, 3};
  Genie__Wire__Hello hello = GENIE__WIRE__HELLO__INIT;
  hello.minimum_version = hello.maximum_version = 1;
  hello.role = GENIE__WIRE__ROLE__CALL;
  hello.software = "genie 0.1.0";
  hello.session_id = 9;
  hello.token = (ProtobufCBinaryData){.data = token, .len = sizeof(token)};
  corpus_message_t message = encode(GENIE_WIRE_HELLO, &hello.base, 0);
  write_file("good", "hello", &message);
  hello.software = "two\nlines";
  message = encode(GENIE_WIRE_HELLO, &hello.base, 0);
  write_file("bad", "invalid_argument-hello-control-character", &message);
  Genie__Wire__HelloReply reply = GENIE__WIRE__HELLO_REPLY__INIT;
  reply.version = 1;
  reply.name = "node1";
  message = encode(GENIE_WIRE_HELLO_REPLY, &reply.base, 0);
  write_file("good", "hello-reply", &message);
  Genie__Wire__Error error = GENIE__WIRE__ERROR__INIT;
  error.code = GENIE_STATUS_UNAVAILABLE;
  error.message = "retry later";
  message = encode(GENIE_WIRE_ERROR, &error.base, 0);
  write_file("good", "error", &message);
  message.payload_bytes = 1;
  write_file("bad", "out_of_range-error-payload", &message);
  Genie__Wire__WeightChunk chunk = GENIE__WIRE__WEIGHT_CHUNK__INIT;
  chunk.session_id = 1;
  chunk.chunk = 3;
  message = encode(GENIE_WIRE_WEIGHT_CHUNK, &chunk.base, GENIE_WIRE_MAX_CHUNK_BYTES);
  write_file("good", "weight-chunk", &message);
  message.payload_bytes += 1;
  write_file("bad", "out_of_range-weight-chunk-payload", &message);
  write_bad("invalid_argument-weight-chunk-not-protobuf", encode(GENIE_WIRE_WEIGHT_CHUNK, &chunk.base, 1),
            sizeof(genie_wire_prefix_t), 0xffffffff);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: wire_corpus FOLDER\n");
    return 2;
  }
  folder = argv[1];
  write_calls();
  write_small_frames();
  write_control();
  return 0;
}
