// Ed25519 signatures of a plan's header page, which holds the hashes of everything else.
#ifndef GENIE_RUNTIME_PLAN_SIGNATURE_H_
#define GENIE_RUNTIME_PLAN_SIGNATURE_H_

#include "runtime/base/status.h"
#include "runtime/plan/format.h"

// Signs `page` (GENIE_PLAN_HEADER_BYTES that start with a complete header) with the private key in the PEM file
// `key_path`: sets has_signature, signer_key and signature. INVALID_ARGUMENT when the file holds no Ed25519 key.
genie_status_t genie_plan_signature_make(const char *key_path, uint8_t *page) GENIE_MUST_USE;

// Checks the signature of a signed `page`. PERMISSION_DENIED when it does not match.
genie_status_t genie_plan_signature_verify(const uint8_t *page) GENIE_MUST_USE;

// Succeeds when `key` is listed in the file at `path`. PERMISSION_DENIED when it is not; INVALID_ARGUMENT names a line
// that is no key.
genie_status_t genie_plan_signature_find_key(const char *path, const uint8_t key[32]) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_SIGNATURE_H_
