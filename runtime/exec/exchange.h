// What a place uses to reach the others: the other side of every SEND and RECEIVE.
//
// The executor runs a place's list in order on one thread and calls these from it; the carrier behind them is the
// session's (staging memory when all places are in this process, channels between nodes else). Both functions block.
// A send never waits for the other side's receive: lists of several places are free of deadlock only because what was
// sent is taken in by the receiving node wherever its list stands, into memory that the plan bounds (one transfer's
// maximum bytes each, once a call). Deadlines, cancellation and lost peers are the exchange's: it answers with an error
// and the call fails with it.
#ifndef GENIE_RUNTIME_EXEC_EXCHANGE_H_
#define GENIE_RUNTIME_EXEC_EXCHANGE_H_

#include <stddef.h>
#include <stdint.h>

#include "genie/status.h"

typedef struct genie_exchange genie_exchange_t;

typedef struct genie_exchange_ops {
  // Sends `size_bytes` at host memory `address` as transfer `transfer` (an index into the plan's TRANSFERS) of the
  // current call; returns when the memory may be written again.
  genie_status_t (*send)(genie_exchange_t *exchange, uint32_t transfer, const void *address, uint64_t size_bytes);
  // Waits for transfer `transfer` of the current call and fills `size_bytes` at host memory `address`. The other side
  // may be hostile: bytes that are not exactly as many are an error.
  genie_status_t (*receive)(genie_exchange_t *exchange, uint32_t transfer, void *address, uint64_t size_bytes);
  // Where the transfer waits instead, between its send and its receive: memory of the destination's device that the
  // source's reaches, so that nothing goes by way of the host. NULL, also for the function: by send and receive.
  void *(*direct)(const genie_exchange_t *exchange, uint32_t transfer);
} genie_exchange_ops_t;

// The first member of an implementation.
struct genie_exchange {
  const genie_exchange_ops_t *ops;
};

static inline void *genie_exchange_direct(const genie_exchange_t *exchange, uint32_t transfer) {
  return exchange->ops->direct == NULL ? NULL : exchange->ops->direct(exchange, transfer);
}

#endif  // GENIE_RUNTIME_EXEC_EXCHANGE_H_
