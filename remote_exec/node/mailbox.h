// Tensors that other places sent, until the place that they are for takes them.
//
// A reader of a connection delivers, a place's thread takes. When the place waits already, the bytes go straight to
// where it wants them; else they wait in memory of the mailbox, at most what the plan says of one transfer, for at most
// GENIE_MAILBOX_DEPTH calls. So a sender never waits for the list of the receiving place. Calls of a session have
// growing numbers; what a call that failed left behind is dropped when the call is finished.
//
// Thread-safe. Deliveries of one transfer come one after another.
#ifndef GENIE_REMOTE_EXEC_NODE_MAILBOX_H_
#define GENIE_REMOTE_EXEC_NODE_MAILBOX_H_

#include "remote_exec/transport/deadline.h"
#include "runtime/base/allocator.h"

enum { GENIE_MAILBOX_DEPTH = 64 };

typedef struct genie_mailbox genie_mailbox_t;

// Fills `size_bytes` at `destination`, as a delivery does: from a connection, or by copying.
typedef struct genie_mailbox_source {
  void *self;
  genie_status_t (*fill)(void *self, void *destination, uint64_t size_bytes);
} genie_mailbox_source_t;

// `maximum_bytes[transfer_count]` of each transfer are copied.
genie_status_t genie_mailbox_create(const uint64_t *maximum_bytes, uint32_t transfer_count, genie_allocator_t allocator,
                                    genie_mailbox_t **out_mailbox) GENIE_MUST_USE;
// Accepts NULL. Nobody uses it any more.
void genie_mailbox_destroy(genie_mailbox_t *mailbox);

// Brings transfer `transfer` of call `call`. The errors of `source` pass through; OUT_OF_RANGE: no such transfer, it is
// too large, or too many of it wait.
genie_status_t genie_mailbox_deliver(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, uint64_t size_bytes,
                                     const genie_mailbox_source_t *source) GENIE_MUST_USE;

// Waits for a transfer of a call and moves it to `address`. DEADLINE_EXCEEDED; INVALID_ARGUMENT: it has another size;
// the status of genie_mailbox_fail() or genie_mailbox_cancel().
genie_status_t genie_mailbox_take(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, void *address,
                                  uint64_t size_bytes, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Ends the waits of this call (not 0), now and later, with `code`: CANCELLED, or why it cannot finish elsewhere. The
// last 64 are remembered, each with its first code.
void genie_mailbox_cancel(genie_mailbox_t *mailbox, uint64_t call, genie_status_code_t code);

// No place waits for `call` or an earlier one any more: what is there of them, or comes, is dropped.
void genie_mailbox_finish(genie_mailbox_t *mailbox, uint64_t call);

// Ends every wait, now and later, with this code and message. The first failure stays.
void genie_mailbox_fail(genie_mailbox_t *mailbox, genie_status_code_t code, const char *message);

// The status that ends the waits of `call` already, or OK.
genie_status_t genie_mailbox_check(genie_mailbox_t *mailbox, uint64_t call) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_NODE_MAILBOX_H_
