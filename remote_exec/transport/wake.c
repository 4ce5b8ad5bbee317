#include "remote_exec/transport/wake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

genie_status_t genie_wake_init(genie_wake_t *out_wake) {
  atomic_init(&out_wake->is_set, false);
  out_wake->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return out_wake->descriptor >= 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no event descriptor: %s", strerror(errno));
}

void genie_wake_deinit(genie_wake_t *wake) {
  if (wake->descriptor >= 0) {
    close(wake->descriptor);
    wake->descriptor = -1;
  }
}

void genie_wake_set(genie_wake_t *wake) {
  const uint64_t one = 1;
  atomic_store_explicit(&wake->is_set, true, memory_order_release);
  // It stays readable: every thread that polls it sees it.
  (void)!write(wake->descriptor, &one, sizeof(one));
}

genie_wait_result_t genie_wake_poll(genie_wake_t *wake, int descriptor, short events, genie_deadline_ns_t deadline) {
  for (;;) {
    if (genie_wake_is_set(wake)) {
      return GENIE_WAIT_INTERRUPTED;
    }
    struct pollfd polled[] = {{.fd = descriptor, .events = events}, {.fd = wake->descriptor, .events = POLLIN}};
    struct timespec left;
    if (deadline != GENIE_DEADLINE_NEVER) {
      const uint64_t now = genie_deadline_clock_ns();
      const uint64_t left_ns = deadline > now ? deadline - now : 0;
      left = (struct timespec){.tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u)};
    }
    const int count = ppoll(polled, 2, deadline != GENIE_DEADLINE_NEVER ? &left : NULL, NULL);
    if (count == 0 || (count < 0 && errno != EINTR)) {
      return GENIE_WAIT_DEADLINE;
    }
    if (count > 0 && polled[0].revents != 0 && !genie_wake_is_set(wake)) {
      return GENIE_WAIT_READY;
    }
  }
}
