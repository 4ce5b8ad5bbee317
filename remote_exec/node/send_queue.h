// Large tensors on their way to another node: copied, and sent by a thread of the queue while the place goes on
// computing. Small ones are sent by the caller at once, when none waits: a hand-over costs more than they do.
//
// Thread-safe. What one thread sends arrives in its order. A copy waits in memory that is kept for the next one.
#ifndef GENIE_REMOTE_EXEC_NODE_SEND_QUEUE_H_
#define GENIE_REMOTE_EXEC_NODE_SEND_QUEUE_H_

#include "remote_exec/transport/deadline.h"
#include "runtime/base/allocator.h"

enum {
  GENIE_SEND_QUEUE_DEPTH = 2,              // copies that wait or are being sent
  GENIE_SEND_QUEUE_LEAST_BYTES = 1 << 18,  // that are worth a hand-over
};

typedef struct genie_send_queue genie_send_queue_t;

typedef struct genie_send_item {
  uint64_t call;
  uint32_t transfer;
  genie_deadline_ns_t deadline;
  uint64_t size_bytes;
} genie_send_item_t;

// Sends `item->size_bytes` at `address` and returns when they are on their way; called by one thread or another.
typedef genie_status_t (*genie_send_fn_t)(void *context, const genie_send_item_t *item, const void *address);

genie_status_t genie_send_queue_create(genie_send_fn_t send, void *context, genie_allocator_t allocator,
                                       genie_send_queue_t **out_queue) GENIE_MUST_USE;

// Accepts NULL. What waits is dropped; what is being sent must fail or end by itself: interrupt its channel before.
void genie_send_queue_destroy(genie_send_queue_t *queue);

// Sends, or copies to be sent; waits for room until the item's deadline (DEADLINE_EXCEEDED). The failure of an earlier
// item comes back to every later one: the connection is of no use any more.
genie_status_t genie_send_queue_push(genie_send_queue_t *queue, const genie_send_item_t *item,
                                     const void *address) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_NODE_SEND_QUEUE_H_
