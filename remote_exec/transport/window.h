// A window: wraps a channel so that what is in flight is bounded, and small messages travel together.
//
// Credits: a message costs the bytes of its header and payload. It is sent when what is in flight and it fit the
// window, or when no more than a quarter of the window is in flight, so that a message larger than the window passes
// too; a message without payload never waits. The receiver returns credit, by CREDIT messages from a thread of the
// window, once it has taken an eighth of a window.
//
// Batching: while one thread is in a send, others leave their small messages for it and return; it sends them together
// when it is done, as one BATCH message. A lone message is not held back, unless has_more says that others follow.
//
// Both sides of a connection wrap, with the same window, or neither does; the messages of both are of wire/frame.h. A
// thread must be receiving, as a rule always: it is it who sees returned credit.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_WINDOW_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_WINDOW_H_

#include "remote_exec/transport/channel.h"

enum {
  GENIE_WINDOW_SMALL_BYTES = 4096,  // messages up to this size, header and payload, are batched
  GENIE_WINDOW_LEAST_BYTES = 65536,
};

#define GENIE_WINDOW_DEFAULT_BYTES ((uint64_t)32 << 20)

// Takes `inner`, which has shaken hands, when it succeeds. `window_bytes` 0: the default.
genie_status_t genie_window_wrap(genie_channel_t *inner, uint64_t window_bytes,
                                 genie_channel_t **out_channel) GENIE_MUST_USE;

// What is sent and not yet taken by the peer, as far as is known.
uint64_t genie_window_get_in_flight(genie_channel_t *channel);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_WINDOW_H_
