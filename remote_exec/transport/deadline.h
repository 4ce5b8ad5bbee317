// Deadlines: absolute nanoseconds of CLOCK_MONOTONIC, as every blocking call of remote_exec takes them.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_DEADLINE_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_DEADLINE_H_

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef uint64_t genie_deadline_ns_t;

// Waits for ever, or until interrupted.
#define GENIE_DEADLINE_NEVER UINT64_MAX
// Has passed already: what cannot be done at once fails with DEADLINE_EXCEEDED.
#define GENIE_DEADLINE_NOW ((genie_deadline_ns_t)0)

static inline uint64_t genie_deadline_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// `duration_ns` from now; saturates at GENIE_DEADLINE_NEVER.
static inline genie_deadline_ns_t genie_deadline_after_ns(uint64_t duration_ns) {
  const uint64_t now = genie_deadline_clock_ns();
  return duration_ns > UINT64_MAX - now ? GENIE_DEADLINE_NEVER : now + duration_ns;
}

static inline bool genie_deadline_has_passed(genie_deadline_ns_t deadline) {
  return deadline != GENIE_DEADLINE_NEVER && genie_deadline_clock_ns() >= deadline;
}

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_DEADLINE_H_
