// How much the sessions of each client may take: memory, sessions and connections, by client and in all.
//
// A client is the fingerprint of its key. Thread-safe. What was charged is returned with the same amounts.
#ifndef GENIE_REMOTE_EXEC_DAEMON_BUDGET_H_
#define GENIE_REMOTE_EXEC_DAEMON_BUDGET_H_

#include "runtime/base/allocator.h"

typedef struct genie_budget genie_budget_t;

// What can be charged.
typedef enum genie_budget_kind {
  GENIE_BUDGET_MEMORY,       // bytes
  GENIE_BUDGET_SESSIONS,     // of all clients only
  GENIE_BUDGET_CONNECTIONS,  // of all clients, and of each
  GENIE_BUDGET_KIND_COUNT,
} genie_budget_kind_t;

typedef struct genie_budget_limits {
  uint64_t total[GENIE_BUDGET_KIND_COUNT];
  uint64_t client[GENIE_BUDGET_KIND_COUNT];
} genie_budget_limits_t;

genie_status_t genie_budget_create(const genie_budget_limits_t *limits, genie_allocator_t allocator,
                                   genie_budget_t **out_budget) GENIE_MUST_USE;
// Accepts NULL.
void genie_budget_destroy(genie_budget_t *budget);

// RESOURCE_EXHAUSTED names the limit; nothing is charged then.
genie_status_t genie_budget_charge(genie_budget_t *budget, const char *client, genie_budget_kind_t kind,
                                   uint64_t amount) GENIE_MUST_USE;
void genie_budget_return(genie_budget_t *budget, const char *client, genie_budget_kind_t kind, uint64_t amount);

// What is charged in all.
uint64_t genie_budget_used(genie_budget_t *budget, genie_budget_kind_t kind);

#endif  // GENIE_REMOTE_EXEC_DAEMON_BUDGET_H_
