// Brings weights into memory, in pieces on several threads: copying from the page cache, clearing new pages and hashing
// each keep a core busy.
#ifndef GENIE_RUNTIME_EXEC_WEIGHT_READER_H_
#define GENIE_RUNTIME_EXEC_WEIGHT_READER_H_

#include "runtime/plan/reader.h"

// Reads `size_bytes` of WEIGHTS from byte `offset` into `destination` on at most `thread_count` threads, the caller's
// included. DATA_LOSS when the file shrank.
genie_status_t genie_weight_reader_read(const genie_plan_t *plan, uint64_t offset, uint64_t size_bytes,
                                        void *destination, uint32_t thread_count) GENIE_MUST_USE;

// Reads all of WEIGHTS into `destination` and compares what was read with its hashes. DATA_LOSS names a chunk that
// differs.
genie_status_t genie_weight_reader_read_verified(const genie_plan_t *plan, void *destination,
                                                 uint32_t thread_count) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_WEIGHT_READER_H_
