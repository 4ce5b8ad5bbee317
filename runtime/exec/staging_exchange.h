// The exchange of places that are all in this process: what is sent waits in memory of its own until it is received.
// That is the host's, or the receiving device's where the sending one reaches it.
#ifndef GENIE_RUNTIME_EXEC_STAGING_EXCHANGE_H_
#define GENIE_RUNTIME_EXEC_STAGING_EXCHANGE_H_

#include "runtime/exec/exchange.h"
#include "runtime/exec/place.h"
#include "runtime/plan/reader.h"

// Room for every transfer of one call of any entry between `places` [place_count], which outlive the exchange. One
// thread walks all places in the entry's order, so a receive finds what was sent.
genie_status_t genie_staging_exchange_create(const genie_plan_t *plan, const genie_place_t *places,
                                             genie_allocator_t allocator,
                                             genie_exchange_t **out_exchange) GENIE_MUST_USE;
// Accepts NULL.
void genie_staging_exchange_destroy(genie_allocator_t allocator, genie_exchange_t *exchange);

#endif  // GENIE_RUNTIME_EXEC_STAGING_EXCHANGE_H_
