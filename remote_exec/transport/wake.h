// Waking a thread that blocks in poll: what makes channels and listeners interruptible.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_WAKE_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_WAKE_H_

#include <stdatomic.h>

#include "remote_exec/transport/deadline.h"
#include "runtime/base/status.h"

// In the caller's memory; set from any thread, never unset.
typedef struct genie_wake {
  int descriptor;  // readable once set; -1 when init failed
  atomic_bool is_set;
} genie_wake_t;

typedef enum genie_wait_result {
  GENIE_WAIT_READY,
  GENIE_WAIT_DEADLINE,
  GENIE_WAIT_INTERRUPTED,
} genie_wait_result_t;

// RESOURCE_EXHAUSTED: no file descriptor left.
genie_status_t genie_wake_init(genie_wake_t *out_wake) GENIE_MUST_USE;
void genie_wake_deinit(genie_wake_t *wake);

void genie_wake_set(genie_wake_t *wake);

static inline bool genie_wake_is_set(genie_wake_t *wake) {
  return atomic_load_explicit(&wake->is_set, memory_order_acquire);
}

// Sleeps until `descriptor` has one of poll's `events`, an error included, the wake is set, or the deadline passes.
genie_wait_result_t genie_wake_poll(genie_wake_t *wake, int descriptor, short events, genie_deadline_ns_t deadline);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_WAKE_H_
