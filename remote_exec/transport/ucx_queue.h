// Inside of the ucx carrier: messages that have arrived and wait for their receiver, by sequence number.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_QUEUE_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_QUEUE_H_

#include "remote_exec/transport/ucx_fabric.h"

enum {
  GENIE_UCX_MAX_INLINE_HEADER = 1024,      // larger headers travel in a message of their own
  GENIE_UCX_MAX_WAITING = 4096,            // messages
  GENIE_UCX_MAX_WAITING_BYTES = 64 << 20,  // that the queue holds copies of
};

// What an active message starts with.
typedef struct genie_ucx_head {
  uint64_t sequence;
  uint64_t payload_bytes;
  uint64_t checksum;
  uint32_t header_bytes;
  uint32_t flags;
} genie_ucx_head_t;

_Static_assert(sizeof(genie_ucx_head_t) == 32, "layout");

enum { GENIE_UCX_HAS_CHECKSUM = 1, GENIE_UCX_HEADER_APART = 2 };

typedef enum genie_ucx_payload {
  GENIE_UCX_PAYLOAD_NONE,
  GENIE_UCX_PAYLOAD_REMOTE,  // `data` is UCX's descriptor of a rendezvous
  GENIE_UCX_PAYLOAD_LENT,    // `data` is UCX's memory, to be given back
  GENIE_UCX_PAYLOAD_COPY,    // `data` is ours
} genie_ucx_payload_t;

typedef struct genie_ucx_incoming {
  struct genie_ucx_incoming *next;  // ascending
  genie_ucx_head_t head;
  bool has_head, has_header;
  uint8_t *header;  // head.header_bytes, once has_header
  genie_ucx_payload_t payload;
  void *data;
} genie_ucx_incoming_t;

// In the caller's memory; guarded by the channel's lock.
typedef struct genie_ucx_queue {
  const genie_ucx_fabric_t *fabric;
  ucp_worker_h worker;
  uint64_t max_payload_bytes;
  uint64_t next_sequence;
  genie_ucx_incoming_t *first;
  size_t count;
  uint64_t copied_bytes;
  const char *failure;  // what the peer did wrong, static; NULL: nothing
} genie_ucx_queue_t;

// Handlers of UCX, whose `argument` is the queue: a message, and a header apart.
ucs_status_t genie_ucx_queue_take_message(void *argument, const void *head, size_t head_bytes, void *data,
                                          size_t data_bytes, const ucp_am_recv_param_t *param);
ucs_status_t genie_ucx_queue_take_header(void *argument, const void *head, size_t head_bytes, void *data,
                                         size_t data_bytes, const ucp_am_recv_param_t *param);

// The next message in order, when all of its header is there; else NULL.
genie_ucx_incoming_t *genie_ucx_queue_peek(genie_ucx_queue_t *queue);

// Takes what peek gave out of the queue; the caller releases it.
void genie_ucx_queue_take(genie_ucx_queue_t *queue);
void genie_ucx_queue_release(genie_ucx_queue_t *queue, genie_ucx_incoming_t *incoming);

void genie_ucx_queue_deinit(genie_ucx_queue_t *queue);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_QUEUE_H_
