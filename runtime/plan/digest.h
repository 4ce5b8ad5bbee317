// SHA-256 of bytes, whole or in pieces (OpenSSL's EVP).
#ifndef GENIE_RUNTIME_PLAN_DIGEST_H_
#define GENIE_RUNTIME_PLAN_DIGEST_H_

#include "runtime/base/status.h"
#include "runtime/plan/format.h"

// RESOURCE_EXHAUSTED when OpenSSL has no memory.
genie_status_t genie_plan_digest_of(const void *bytes, uint64_t size_bytes,
                                    genie_plan_digest_t *out_digest) GENIE_MUST_USE;

// A digest in progress; one thread.
typedef struct genie_plan_hasher {
  void *state;
} genie_plan_hasher_t;

genie_status_t genie_plan_hasher_init(genie_plan_hasher_t *out_hasher) GENIE_MUST_USE;
genie_status_t genie_plan_hasher_update(genie_plan_hasher_t *hasher, const void *bytes,
                                        uint64_t size_bytes) GENIE_MUST_USE;
// Gives the digest of all since init or the last finish, and starts anew.
genie_status_t genie_plan_hasher_finish(genie_plan_hasher_t *hasher, genie_plan_digest_t *out_digest) GENIE_MUST_USE;
// Accepts a zeroed hasher.
void genie_plan_hasher_deinit(genie_plan_hasher_t *hasher);

#endif  // GENIE_RUNTIME_PLAN_DIGEST_H_
