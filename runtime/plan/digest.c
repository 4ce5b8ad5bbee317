#include "runtime/plan/digest.h"

#include <openssl/evp.h>

genie_status_t genie_plan_hasher_init(genie_plan_hasher_t *out_hasher) {
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  out_hasher->state = state;
  if (state == NULL || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1) {
    genie_plan_hasher_deinit(out_hasher);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "OpenSSL cannot start a SHA-256");
  }
  return GENIE_OK;
}

genie_status_t genie_plan_hasher_update(genie_plan_hasher_t *hasher, const void *bytes, uint64_t size_bytes) {
  if (size_bytes > 0 && EVP_DigestUpdate(hasher->state, bytes, size_bytes) != 1) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL's SHA-256 failed");
  }
  return GENIE_OK;
}

genie_status_t genie_plan_hasher_finish(genie_plan_hasher_t *hasher, genie_plan_digest_t *out_digest) {
  if (EVP_DigestFinal_ex(hasher->state, out_digest->bytes, NULL) != 1 ||
      EVP_DigestInit_ex(hasher->state, EVP_sha256(), NULL) != 1) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "OpenSSL's SHA-256 failed");
  }
  return GENIE_OK;
}

void genie_plan_hasher_deinit(genie_plan_hasher_t *hasher) {
  EVP_MD_CTX_free(hasher->state);
  hasher->state = NULL;
}

genie_status_t genie_plan_digest_of(const void *bytes, uint64_t size_bytes, genie_plan_digest_t *out_digest) {
  genie_plan_hasher_t hasher;
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_init(&hasher));
  genie_status_t status = genie_plan_hasher_update(&hasher, bytes, size_bytes);
  if (status == GENIE_OK) {
    status = genie_plan_hasher_finish(&hasher, out_digest);
  }
  genie_plan_hasher_deinit(&hasher);
  return status;
}
