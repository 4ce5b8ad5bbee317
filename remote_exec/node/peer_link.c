#include "remote_exec/node/peer_link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/node/liveness.h"
#include "remote_exec/node/send_queue.h"
#include "remote_exec/transport/window.h"
#include "remote_exec/wire/frame.h"

enum { kHeaderBytes = 4096, kNameBytes = 128 };

struct genie_peer_link {
  genie_allocator_t allocator;
  char name[kNameBytes];
  uint64_t session_id;
  const genie_plan_t *plan;
  genie_mailbox_t *mailbox;
  genie_trace_t *trace;
  bool *is_theirs;
  bool *is_ours;
  genie_channel_t *channel;
  genie_send_queue_t *sends;
  pthread_t thread;
  bool has_thread;
  atomic_bool is_closing;
  atomic_uint_least64_t arrived_bytes;
};

// ---- Receiving ----

// A tensor of which the header is read.
typedef struct arrival {
  const genie_peer_link_t *link;
  genie_wire_tensor_t tensor;
  uint64_t begin_ns;
} arrival_t;

// The payload of the current message, taken by the mailbox to where it belongs. Recorded here, before a place can take
// it: when the delivery returns the call may have ended.
static genie_status_t fill_from_channel(void *self, void *destination, uint64_t size_bytes) {
  const arrival_t *arrival = self;
  const genie_peer_link_t *link = arrival->link;
  if (size_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_channel_receive_payload(link->channel, destination, size_bytes,
                                                        genie_liveness_transfer_deadline(size_bytes)));
  }
  genie_trace_add(link->trace, GENIE_TRACE_RECORD_ARRIVED, arrival->tensor.transfer, arrival->tensor.call_id,
                  size_bytes, arrival->begin_ns);
  return GENIE_OK;
}

static genie_status_t take_tensor(genie_peer_link_t *link, const void *header, size_t header_bytes,
                                  uint64_t payload_bytes) {
  genie_wire_tensor_t tensor;
  GENIE_RETURN_IF_ERROR(genie_wire_tensor_read(header, header_bytes, payload_bytes, &tensor));
  if (tensor.transfer >= link->plan->transfer_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "transfer %u: the plan has %u", tensor.transfer,
                             link->plan->transfer_count);
  }
  const genie_plan_transfer_t *transfer = &link->plan->transfers[tensor.transfer];
  if (!link->is_theirs[transfer->source_place] || !link->is_ours[transfer->destination_place]) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "transfer %u is not between that node and this one",
                             tensor.transfer);
  }
  arrival_t arrival = {.link = link, .tensor = tensor, .begin_ns = genie_trace_now_ns(link->trace)};
  const genie_mailbox_source_t source = {.self = &arrival, .fill = fill_from_channel};
  // Before a place can take it: the call may have ended when the delivery returns.
  atomic_fetch_add_explicit(&link->arrived_bytes, payload_bytes, memory_order_relaxed);
  return genie_mailbox_deliver(link->mailbox, tensor.call_id, tensor.transfer, payload_bytes, &source);
}

// A number from the wire that names no way for a call to end reads as CANCELLED.
static genie_status_code_t end_code(uint32_t number) {
  return number == GENIE_STATUS_OK || number > GENIE_STATUS_INTERNAL ? GENIE_STATUS_CANCELLED
                                                                     : (genie_status_code_t)number;
}

static genie_status_t take_message(genie_peer_link_t *link, const void *header, size_t header_bytes,
                                   uint64_t payload_bytes) {
  const genie_wire_prefix_t *prefix = header;
  genie_wire_cancel_t cancel;
  switch (prefix->kind) {
    case GENIE_WIRE_TENSOR:
      return take_tensor(link, header, header_bytes, payload_bytes);
    case GENIE_WIRE_CANCEL:
      GENIE_RETURN_IF_ERROR(genie_wire_cancel_read(header, header_bytes, &cancel));
      genie_mailbox_cancel(link->mailbox, cancel.call_id, end_code(cancel.code));
      return GENIE_OK;
    case GENIE_WIRE_HEARTBEAT:
      return GENIE_OK;
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "message %u between nodes", prefix->kind);
}

// Until the connection ends, which is always a failure here: a link is destroyed by interrupting it.
static genie_status_t serve(genie_peer_link_t *link) {
  _Alignas(8) uint8_t header[kHeaderBytes];
  genie_liveness_t liveness;
  genie_liveness_start(&liveness);
  for (;;) {
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    genie_wire_prefix_t prefix;
    genie_status_t status = genie_channel_receive_header(
        link->channel, header, sizeof(header), genie_liveness_deadline(&liveness), &header_bytes, &payload_bytes);
    if (genie_status_code(status) == GENIE_STATUS_DEADLINE_EXCEEDED) {
      genie_status_free(status);
      genie_liveness_forgive(&liveness);
      GENIE_RETURN_IF_ERROR(genie_liveness_tick(&liveness, link->channel));
      continue;
    }
    GENIE_RETURN_IF_ERROR(status);
    GENIE_RETURN_IF_ERROR(genie_wire_prefix_read(header, header_bytes, payload_bytes, GENIE_WIRE_FROM_EITHER,
                                                 GENIE_WIRE_ROLE_PEER, &prefix));
    GENIE_RETURN_IF_ERROR(take_message(link, header, header_bytes, payload_bytes));
    genie_liveness_note(&liveness);
    if (genie_deadline_has_passed(liveness.next_beat)) {
      GENIE_RETURN_IF_ERROR(genie_liveness_tick(&liveness, link->channel));
    }
  }
}

static void *thread_main(void *argument) {
  genie_peer_link_t *link = argument;
  const genie_status_t status = serve(link);
  if (!atomic_load(&link->is_closing)) {
    char message[512];
    snprintf(message, sizeof(message), "lost node '%s': %s", link->name, genie_status_message(status));
    genie_mailbox_fail(link->mailbox, GENIE_STATUS_ABORTED, message);
    genie_channel_interrupt(link->channel);  // a send to it fails at once
  }
  genie_status_free(status);
  return NULL;
}

// ---- Sending ----

static genie_status_t send_tensor(void *context, const genie_send_item_t *item, const void *address) {
  genie_peer_link_t *link = context;
  genie_wire_tensor_t tensor;
  genie_wire_tensor_init(link->session_id, item->call, item->transfer, item->size_bytes, NULL, &tensor);
  const struct iovec piece = {.iov_base = (void *)address, .iov_len = item->size_bytes};
  const genie_message_t message = {.header = &tensor,
                                   .header_bytes = sizeof(tensor),
                                   .payload = item->size_bytes > 0 ? &piece : NULL,
                                   .payload_count = item->size_bytes > 0 ? 1 : 0};
  const genie_deadline_ns_t limit = genie_liveness_transfer_deadline(item->size_bytes);
  const uint64_t begin_ns = genie_trace_now_ns(link->trace);
  GENIE_RETURN_IF_ERROR(genie_status_annotate(
      genie_channel_send(link->channel, &message, item->deadline < limit ? item->deadline : limit),
      "sending to node '%s'", link->name));
  genie_trace_add(link->trace, GENIE_TRACE_RECORD_SENT, item->transfer, item->call, item->size_bytes, begin_ns);
  return GENIE_OK;
}

// ---- Construction ----

static genie_status_t copy_flags(genie_allocator_t allocator, const bool *flags, uint32_t count, bool **out_copy) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, count, sizeof(bool), &memory));
  memcpy(memory, flags, count * sizeof(bool));
  *out_copy = memory;
  return GENIE_OK;
}

static genie_status_t fill_link(genie_peer_link_t *link, const genie_peer_link_options_t *options) {
  const uint32_t place_count = options->plan->place_count;
  GENIE_RETURN_IF_ERROR(copy_flags(link->allocator, options->is_theirs, place_count, &link->is_theirs));
  GENIE_RETURN_IF_ERROR(copy_flags(link->allocator, options->is_ours, place_count, &link->is_ours));
  GENIE_RETURN_IF_ERROR(genie_send_queue_create(send_tensor, link, link->allocator, &link->sends));
  if (pthread_create(&link->thread, NULL, thread_main, link) != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  link->has_thread = true;
  return GENIE_OK;
}

genie_status_t genie_peer_link_create(const genie_peer_link_options_t *options, genie_channel_t *channel,
                                      genie_allocator_t allocator, genie_peer_link_t **out_link) {
  void *memory = NULL;
  genie_channel_t *window = NULL;
  genie_status_t prepared = genie_allocator_allocate_array(allocator, 1, sizeof(genie_peer_link_t), &memory);
  if (prepared == GENIE_OK) {
    prepared = genie_window_wrap(channel, /*window_bytes=*/0, &window);
  }
  if (prepared != GENIE_OK) {
    genie_allocator_free(allocator, memory);
    genie_channel_close(channel);
    return prepared;
  }
  genie_peer_link_t *link = memory;
  link->allocator = allocator;
  link->session_id = options->session_id;
  link->plan = options->plan;
  link->mailbox = options->mailbox;
  link->trace = options->trace;
  link->channel = window;
  snprintf(link->name, sizeof(link->name), "%s", options->name);
  const genie_status_t status = fill_link(link, options);
  if (status != GENIE_OK) {
    genie_peer_link_destroy(link);
    return status;
  }
  *out_link = link;
  return GENIE_OK;
}

void genie_peer_link_destroy(genie_peer_link_t *link) {
  if (link == NULL) {
    return;
  }
  atomic_store(&link->is_closing, true);
  genie_channel_interrupt(link->channel);
  if (link->has_thread) {
    pthread_join(link->thread, NULL);
  }
  genie_send_queue_destroy(link->sends);
  genie_channel_close(link->channel);
  genie_allocator_free(link->allocator, link->is_theirs);
  genie_allocator_free(link->allocator, link->is_ours);
  genie_allocator_free(link->allocator, link);
}

// ---- Use ----

const char *genie_peer_link_name(const genie_peer_link_t *link) {
  return link->name;
}

bool genie_peer_link_hosts(const genie_peer_link_t *link, uint32_t place) {
  return link->is_theirs[place];
}

genie_status_t genie_peer_link_send(genie_peer_link_t *link, uint64_t call, uint32_t transfer, const void *address,
                                    uint64_t size_bytes, genie_deadline_ns_t deadline) {
  const genie_send_item_t item = {.call = call, .transfer = transfer, .deadline = deadline, .size_bytes = size_bytes};
  return genie_send_queue_push(link->sends, &item, address);
}

void genie_peer_link_cancel(genie_peer_link_t *link, uint64_t call, genie_status_code_t code) {
  genie_wire_cancel_t cancel;
  genie_wire_cancel_init(link->session_id, call, code, &cancel);
  genie_status_free(genie_channel_send(link->channel,
                                       &(genie_message_t){.header = &cancel, .header_bytes = sizeof(cancel)},
                                       genie_deadline_after_ns(GENIE_LIVENESS_INTERVAL_NS)));
}

uint64_t genie_peer_link_arrived_bytes(const genie_peer_link_t *link) {
  return atomic_load_explicit(&link->arrived_bytes, memory_order_relaxed);
}

void genie_peer_link_get_stats(genie_peer_link_t *link, genie_channel_stats_t *out_stats) {
  genie_channel_get_stats(link->channel, out_stats);
}
