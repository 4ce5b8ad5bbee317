// A plan's manifest: where it comes from and what it takes to run, as protobuf (manifest.proto).
#ifndef GENIE_RUNTIME_PLAN_MANIFEST_H_
#define GENIE_RUNTIME_PLAN_MANIFEST_H_

#include "runtime/plan/reader.h"

enum { GENIE_PLAN_MANIFEST_MAX_REQUIREMENTS = 16, GENIE_PLAN_MANIFEST_MAX_BYTES = 1 << 20 };

// All strings are zero-terminated; "" is unknown.
typedef struct genie_plan_manifest {
  const char *producer;
  const char *source_name;
  const char *framework_version;
  bool has_source_sha256;
  genie_plan_digest_t source_sha256;
  uint32_t requirement_count;
  const char *requirements[GENIE_PLAN_MANIFEST_MAX_REQUIREMENTS];
  void *storage;  // of a manifest that was read
} genie_plan_manifest_t;

// The manifest of a plan. Release with genie_plan_manifest_deinit(). INVALID_ARGUMENT when it is no Manifest message.
genie_status_t genie_plan_manifest_read(const genie_plan_t *plan, genie_plan_manifest_t *out_manifest) GENIE_MUST_USE;
void genie_plan_manifest_deinit(genie_plan_manifest_t *manifest);

// The bytes of `manifest`; the caller frees them with `allocator`.
genie_status_t genie_plan_manifest_pack(const genie_plan_manifest_t *manifest, genie_allocator_t allocator,
                                        uint8_t **out_bytes, uint64_t *out_size_bytes) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_MANIFEST_H_
