// The header page: what it claims about the file, before any of the rest is touched.
#include <string.h>

#include "runtime/base/checked_math.h"
#include "runtime/plan/verifier.h"

// More than any plan has before its weights; bounds what a hostile file can make the reader take.
static const uint64_t kMaximumTableBytes = 2ull << 30;

// Bytes of one record of a section kind; 0 for kinds of a later version.
static uint64_t record_bytes(uint32_t kind) {
  switch (kind) {
#define GENIE_PLAN_SECTION(enumerator, name, number, record) \
  case number:                                               \
    return sizeof(record);
#include "runtime/plan/section.def"
#undef GENIE_PLAN_SECTION
  }
  return 0;
}

static bool is_zero(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

static genie_status_t check_identity(const genie_plan_header_t *header, uint64_t file_bytes) {
  if (file_bytes < sizeof(header->magic) || memcmp(header->magic, GENIE_PLAN_MAGIC, sizeof(header->magic)) != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "not a plan: the file does not start with " GENIE_PLAN_MAGIC);
  }
  if (file_bytes < GENIE_PLAN_HEADER_BYTES) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "truncated: %llu bytes, less than the header",
                             (unsigned long long)file_bytes);
  }
  if (header->version_major > GENIE_PLAN_VERSION_MAJOR) {
    return genie_status_make(
        GENIE_STATUS_UNIMPLEMENTED,
        "the plan has format version %u.%u and this Genie reads up to %d: install a newer Genie, or "
        "compile the model again with this one's geniec",
        header->version_major, header->version_minor, GENIE_PLAN_VERSION_MAJOR);
  }
  if (header->version_major == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: format version 0.%u does not exist",
                             header->version_minor);
  }
  if (header->flags != 0) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "header: flags %#x need a newer Genie", header->flags);
  }
  return GENIE_OK;
}

static genie_status_t check_signature_fields(const genie_plan_header_t *header) {
  const bool has_zeros =
      is_zero(header->signer_key, sizeof(header->signer_key)) && is_zero(header->signature, sizeof(header->signature));
  if (header->has_signature > 1 || (header->has_signature == 0 && !has_zeros)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: has_signature is %u beside %s signature",
                             header->has_signature, has_zeros ? "no" : "a");
  }
  const size_t end = sizeof(genie_plan_header_t);
  if (!is_zero(header->reserved, sizeof(header->reserved)) ||
      !is_zero((const uint8_t *)header + end, GENIE_PLAN_HEADER_BYTES - end)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: reserved bytes are not zero");
  }
  return GENIE_OK;
}

// Section `index` starts on the first page after `*inout_end`, which moves past it.
static genie_status_t check_section(const genie_plan_header_t *header, uint32_t index, uint64_t *inout_end) {
  const genie_plan_section_t *section = &header->sections[index];
  uint64_t expected = 0;
  if (!genie_checked_align_u64(*inout_end, GENIE_PLAN_PAGE_BYTES, &expected) || section->offset != expected ||
      !genie_checked_add_u64(section->offset, section->size_bytes, inout_end) || *inout_end > header->file_bytes) {
    return genie_status_make(
        GENIE_STATUS_INVALID_ARGUMENT,
        "section %u (kind %u): bytes %llu + %llu are not on the page after the one before, in a file of %llu", index,
        section->kind, (unsigned long long)section->offset, (unsigned long long)section->size_bytes,
        (unsigned long long)header->file_bytes);
  }
  const uint64_t unit = record_bytes(section->kind);
  if (section->reserved != 0 || (unit != 0 && section->size_bytes % unit != 0) ||
      (unit > 1 && section->size_bytes / unit >= GENIE_PLAN_NONE)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "section %u (kind %u): %llu bytes are no list of %llu-byte records", index, section->kind,
                             (unsigned long long)section->size_bytes, (unsigned long long)unit);
  }
  return GENIE_OK;
}

// Each known kind exactly once, WEIGHTS last.
static genie_status_t check_kinds(const genie_plan_header_t *header) {
  uint64_t seen = 0;
  for (uint32_t i = 0; i < header->section_count; ++i) {
    const uint32_t kind = header->sections[i].kind;
    if (record_bytes(kind) == 0) {
      continue;
    }
    if ((seen >> kind & 1) != 0) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "section %u: kind %u is there twice", i, kind);
    }
    seen |= 1ull << kind;
  }
#define GENIE_PLAN_SECTION(enumerator, name, number, record)                                 \
  if ((seen >> (number) & 1) == 0) {                                                         \
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "section " #name " is missing"); \
  }
#include "runtime/plan/section.def"
#undef GENIE_PLAN_SECTION
  if (header->sections[header->section_count - 1].kind != GENIE_PLAN_SECTION_WEIGHTS) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "section weights is not the last");
  }
  return GENIE_OK;
}

static genie_status_t check_sections(const genie_plan_header_t *header) {
  if (header->section_count == 0 || header->section_count > GENIE_PLAN_MAX_SECTIONS) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: %u sections; a plan has 1 to %d",
                             header->section_count, GENIE_PLAN_MAX_SECTIONS);
  }
  if (header->manifest_offset != GENIE_PLAN_HEADER_BYTES || header->manifest_bytes > header->file_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: the manifest's bounds are wrong");
  }
  uint64_t end = header->manifest_offset + header->manifest_bytes;
  for (uint32_t i = 0; i < header->section_count; ++i) {
    GENIE_RETURN_IF_ERROR(check_section(header, i, &end));
  }
  if (end != header->file_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: the last section ends at byte %llu of %llu",
                             (unsigned long long)end, (unsigned long long)header->file_bytes);
  }
  const uint32_t unused = GENIE_PLAN_MAX_SECTIONS - header->section_count;
  if (!is_zero((const uint8_t *)&header->sections[header->section_count], unused * sizeof(genie_plan_section_t))) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "header: unused rows of the section table are not zero");
  }
  return check_kinds(header);
}

genie_status_t genie_plan_verify_header(const genie_plan_header_t *header, uint64_t file_bytes) {
  GENIE_RETURN_IF_ERROR(check_identity(header, file_bytes));
  GENIE_RETURN_IF_ERROR(check_signature_fields(header));
  if (file_bytes < header->file_bytes) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "truncated: the file has %llu of its %llu bytes",
                             (unsigned long long)file_bytes, (unsigned long long)header->file_bytes);
  }
  if (file_bytes > header->file_bytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%llu bytes follow the end of the plan",
                             (unsigned long long)(file_bytes - header->file_bytes));
  }
  GENIE_RETURN_IF_ERROR(check_sections(header));
  const uint64_t table_bytes = header->sections[header->section_count - 1].offset;
  if (table_bytes > kMaximumTableBytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%llu bytes before the weights; at most %llu are read",
                             (unsigned long long)table_bytes, (unsigned long long)kMaximumTableBytes);
  }
  return GENIE_OK;
}
