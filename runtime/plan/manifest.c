#include "runtime/plan/manifest.h"

#include <string.h>

#include "runtime/plan/manifest.pb-c.h"

static bool has_control(const char *text) {
  while (*text != '\0' && !genie_plan_is_control(*text)) {
    ++text;
  }
  return *text != '\0';
}

// People's terminals get these texts.
static bool is_printable(const genie_plan_manifest_t *manifest) {
  bool is_good = !has_control(manifest->producer) && !has_control(manifest->source_name) &&
                 !has_control(manifest->framework_version);
  for (uint32_t i = 0; i < manifest->requirement_count; ++i) {
    is_good = is_good && !has_control(manifest->requirements[i]);
  }
  return is_good;
}

genie_status_t genie_plan_manifest_read(const genie_plan_t *plan, genie_plan_manifest_t *out_manifest) {
  *out_manifest = (genie_plan_manifest_t){0};
  const uint64_t size_bytes = plan->header->manifest_bytes;
  Genie__Plan__Manifest *message = size_bytes > GENIE_PLAN_MANIFEST_MAX_BYTES
                                       ? NULL
                                       : genie__plan__manifest__unpack(NULL, size_bytes, plan->manifest);
  if (message == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "manifest: its %llu bytes are no Manifest message",
                             (unsigned long long)size_bytes);
  }
  *out_manifest = (genie_plan_manifest_t){
      .producer = message->producer,
      .source_name = message->source_name,
      .framework_version = message->framework_version,
      .has_source_sha256 = message->source_sha256.len == sizeof(genie_plan_digest_t),
      .storage = message,
  };
  if (out_manifest->has_source_sha256) {
    memcpy(&out_manifest->source_sha256, message->source_sha256.data, sizeof(genie_plan_digest_t));
  }
  for (size_t i = 0; i < message->n_requirements && i < GENIE_PLAN_MANIFEST_MAX_REQUIREMENTS; ++i) {
    out_manifest->requirements[out_manifest->requirement_count++] = message->requirements[i];
  }
  if (!is_printable(out_manifest)) {
    genie_plan_manifest_deinit(out_manifest);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "manifest: a text has control characters");
  }
  return GENIE_OK;
}

void genie_plan_manifest_deinit(genie_plan_manifest_t *manifest) {
  if (manifest->storage != NULL) {
    genie__plan__manifest__free_unpacked(manifest->storage, NULL);
    manifest->storage = NULL;
  }
}

// protobuf-c wants mutable pointers and does not write through them while it packs.
static char *text_of(const char *text) {
  return text != NULL ? (char *)text : "";
}

genie_status_t genie_plan_manifest_pack(const genie_plan_manifest_t *manifest, genie_allocator_t allocator,
                                        uint8_t **out_bytes, uint64_t *out_size_bytes) {
  Genie__Plan__Manifest message = GENIE__PLAN__MANIFEST__INIT;
  message.producer = text_of(manifest->producer);
  message.source_name = text_of(manifest->source_name);
  message.framework_version = text_of(manifest->framework_version);
  if (manifest->has_source_sha256) {
    message.source_sha256.data = (uint8_t *)manifest->source_sha256.bytes;
    message.source_sha256.len = sizeof(manifest->source_sha256);
  }
  message.n_requirements = manifest->requirement_count;
  message.requirements = (char **)manifest->requirements;
  const size_t size_bytes = genie__plan__manifest__get_packed_size(&message);
  void *bytes = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, size_bytes + 1, 1, &bytes));
  genie__plan__manifest__pack(&message, bytes);
  *out_bytes = bytes;
  *out_size_bytes = size_bytes;
  return GENIE_OK;
}
