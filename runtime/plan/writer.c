#include "runtime/plan/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/checked_math.h"
#include "runtime/plan/digest.h"
#include "runtime/plan/signature.h"

// Kinds number the array; index 0 is unused.
enum { kSectionKinds = GENIE_PLAN_SECTION_WEIGHTS + 1, kInitialSlots = 256 };

typedef struct section_buffer {
  uint8_t *bytes;
  uint64_t size_bytes;
  uint64_t capacity_bytes;
} section_buffer_t;

struct genie_plan_writer {
  genie_allocator_t allocator;
  section_buffer_t sections[kSectionKinds];
  uint32_t *string_slots;  // open addressing: offset + 1 of a string, 0 when free
  uint32_t slot_count;     // a power of two
  uint32_t string_count;
  _Alignas(8) uint8_t page[GENIE_PLAN_HEADER_BYTES];  // the header
  section_buffer_t manifest;
  char *path;
  char *temporary_path;
  int file;
  uint64_t weights_offset;  // of the section in the file
  uint64_t weights_bytes;   // promised to begin()
  uint64_t weights_done;
  genie_plan_hasher_t hasher;  // of the current weight chunk
};

static const uint32_t kRecordBytes[kSectionKinds] = {
#define GENIE_PLAN_SECTION(enumerator, name, number, record) [number] = sizeof(record),
#include "runtime/plan/section.def"
#undef GENIE_PLAN_SECTION
};

//===-- Records ---------------------------------------------------------------------------------------------------===//

static genie_status_t reserve(genie_allocator_t allocator, section_buffer_t *buffer, uint64_t extra) {
  if (extra <= buffer->capacity_bytes - buffer->size_bytes) {
    return GENIE_OK;
  }
  const uint64_t capacity = 2 * (buffer->size_bytes + extra) + 4096;
  void *bytes = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, capacity, 1, &bytes));
  if (buffer->size_bytes > 0) {
    memcpy(bytes, buffer->bytes, buffer->size_bytes);
  }
  genie_allocator_free(allocator, buffer->bytes);
  buffer->bytes = bytes;
  buffer->capacity_bytes = capacity;
  return GENIE_OK;
}

static genie_status_t append_bytes(genie_allocator_t allocator, section_buffer_t *buffer, const void *bytes,
                                   uint64_t size_bytes) {
  GENIE_RETURN_IF_ERROR(reserve(allocator, buffer, size_bytes));
  if (size_bytes > 0) {
    memcpy(buffer->bytes + buffer->size_bytes, bytes, size_bytes);
  }
  buffer->size_bytes += size_bytes;
  return GENIE_OK;
}

genie_status_t genie_plan_writer_append(genie_plan_writer_t *writer, genie_plan_section_kind_t section,
                                        const void *records, uint64_t count, uint64_t *out_first) {
  section_buffer_t *buffer = &writer->sections[section];
  uint64_t size_bytes = 0;
  if (!genie_checked_mul_u64(count, kRecordBytes[section], &size_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "a plan section overflows");
  }
  const uint64_t first = buffer->size_bytes / kRecordBytes[section];
  if (section != GENIE_PLAN_SECTION_CODE && first + count >= GENIE_PLAN_NONE) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "a plan section has 2^32 records");
  }
  if (out_first != NULL) {
    *out_first = first;
  }
  return append_bytes(writer->allocator, buffer, records, size_bytes);
}

genie_status_t genie_plan_writer_align(genie_plan_writer_t *writer, genie_plan_section_kind_t section,
                                       uint64_t alignment) {
  section_buffer_t *buffer = &writer->sections[section];
  const uint64_t padding = (alignment - buffer->size_bytes % alignment) % alignment;
  if (padding == 0) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(reserve(writer->allocator, buffer, padding));
  memset(buffer->bytes + buffer->size_bytes, 0, padding);
  buffer->size_bytes += padding;
  return GENIE_OK;
}

void *genie_plan_writer_record(genie_plan_writer_t *writer, genie_plan_section_kind_t section, uint64_t index) {
  return writer->sections[section].bytes + index * kRecordBytes[section];
}

//===-- Strings ---------------------------------------------------------------------------------------------------===//

// FNV-1a.
static uint64_t hash_text(const char *text, size_t length) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < length; ++i) {
    hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
  }
  return hash;
}

static uint32_t *find_slot(const genie_plan_writer_t *writer, const char *text, size_t length) {
  const char *strings = (const char *)writer->sections[GENIE_PLAN_SECTION_STRINGS].bytes;
  uint64_t slot = hash_text(text, length);
  for (;; ++slot) {
    uint32_t *at = &writer->string_slots[slot & (writer->slot_count - 1)];
    if (*at == 0 || (strlen(strings + *at - 1) == length && memcmp(strings + *at - 1, text, length) == 0)) {
      return at;
    }
  }
}

static genie_status_t grow_slots(genie_plan_writer_t *writer) {
  uint32_t *old_slots = writer->string_slots;
  const uint32_t old_count = writer->slot_count;
  void *memory = NULL;
  const uint32_t count = old_count == 0 ? kInitialSlots : 2 * old_count;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(writer->allocator, count, sizeof(uint32_t), &memory));
  writer->string_slots = memory;
  writer->slot_count = count;
  const char *strings = (const char *)writer->sections[GENIE_PLAN_SECTION_STRINGS].bytes;
  for (uint32_t i = 0; i < old_count; ++i) {
    if (old_slots[i] != 0) {
      const char *text = strings + old_slots[i] - 1;
      *find_slot(writer, text, strlen(text)) = old_slots[i];
    }
  }
  genie_allocator_free(writer->allocator, old_slots);
  return GENIE_OK;
}

genie_status_t genie_plan_writer_add_string(genie_plan_writer_t *writer, const char *text, size_t length,
                                            uint32_t *out_offset) {
  if (2 * writer->string_count >= writer->slot_count) {
    GENIE_RETURN_IF_ERROR(grow_slots(writer));
  }
  for (size_t i = 0; i < length; ++i) {
    if (genie_plan_is_control(text[i])) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a name in the plan has the control character %#x",
                               (unsigned)(uint8_t)text[i]);
    }
  }
  uint32_t *slot = find_slot(writer, text, length);
  if (*slot == 0) {
    uint64_t first = 0;
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(writer, GENIE_PLAN_SECTION_STRINGS, text, length, &first));
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(writer, GENIE_PLAN_SECTION_STRINGS, "", 1, NULL));
    *slot = (uint32_t)first + 1;
    ++writer->string_count;
  }
  *out_offset = *slot - 1;
  return GENIE_OK;
}

//===-- File ------------------------------------------------------------------------------------------------------===//

static genie_status_t fail_file(const genie_plan_writer_t *writer, const char *action) {
  const int error = errno;
  const genie_status_code_t code =
      error == ENOSPC || error == EDQUOT || error == EFBIG  ? GENIE_STATUS_RESOURCE_EXHAUSTED
      : error == ENOENT || error == ENOTDIR                 ? GENIE_STATUS_NOT_FOUND
      : error == EACCES || error == EROFS || error == EPERM ? GENIE_STATUS_PERMISSION_DENIED
                                                            : GENIE_STATUS_UNAVAILABLE;
  return genie_status_make(code, "%s: cannot %s: %s", writer->path, action, strerror(error));
}

static genie_status_t write_at(const genie_plan_writer_t *writer, uint64_t offset, const void *bytes,
                               uint64_t size_bytes) {
  for (uint64_t done = 0; done < size_bytes;) {
    const ssize_t count = pwrite(writer->file, (const char *)bytes + done, size_bytes - done, (off_t)(offset + done));
    if (count < 0 && errno != EINTR) {
      return fail_file(writer, "write");
    }
    done += count > 0 ? (uint64_t)count : 0;
  }
  return GENIE_OK;
}

static genie_status_t copy_path(genie_plan_writer_t *writer, const char *path, const char *suffix, char **out_path) {
  const size_t length = strlen(path);
  const size_t suffix_length = strlen(suffix);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(writer->allocator, length + suffix_length + 1, 1, &memory));
  *out_path = memory;
  memcpy(*out_path, path, length);
  memcpy(*out_path + length, suffix, suffix_length + 1);
  return GENIE_OK;
}

static genie_status_t open_temporary(genie_plan_writer_t *writer, const char *path) {
  GENIE_RETURN_IF_ERROR(copy_path(writer, path, "", &writer->path));
  struct stat info;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: exists and is not a regular file", path);
  }
  char *temporary_path = NULL;
  GENIE_RETURN_IF_ERROR(copy_path(writer, path, ".XXXXXX", &temporary_path));
  writer->file = mkostemp(temporary_path, O_CLOEXEC);
  if (writer->file < 0) {
    const genie_status_t status = fail_file(writer, "write");
    genie_allocator_free(writer->allocator, temporary_path);
    return status;
  }
  writer->temporary_path = temporary_path;
  return GENIE_OK;
}

// Places the sections one after another, each on a page; WEIGHTS last.
static genie_status_t lay_out(genie_plan_writer_t *writer) {
  genie_plan_header_t *header = (genie_plan_header_t *)writer->page;
  memcpy(header->magic, GENIE_PLAN_MAGIC, sizeof(header->magic));
  header->version_major = GENIE_PLAN_VERSION_MAJOR;
  header->version_minor = GENIE_PLAN_VERSION_MINOR;
  header->manifest_offset = GENIE_PLAN_HEADER_BYTES;
  header->manifest_bytes = writer->manifest.size_bytes;
  uint64_t end = header->manifest_offset + header->manifest_bytes;
  for (uint32_t kind = 1; kind < kSectionKinds; ++kind) {
    genie_plan_section_t *section = &header->sections[header->section_count++];
    section->kind = kind;
    section->size_bytes =
        kind == GENIE_PLAN_SECTION_WEIGHTS ? writer->weights_bytes : writer->sections[kind].size_bytes;
    if (!genie_checked_align_u64(end, GENIE_PLAN_PAGE_BYTES, &section->offset) ||
        !genie_checked_add_u64(section->offset, section->size_bytes, &end)) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the plan has more than 2^64 bytes");
    }
  }
  writer->weights_offset = header->sections[header->section_count - 1].offset;
  header->file_bytes = end;
  return GENIE_OK;
}

genie_status_t genie_plan_writer_begin(genie_plan_writer_t *writer, const char *path, const void *manifest,
                                       uint64_t manifest_bytes, uint64_t weights_bytes) {
  if (writer->sections[GENIE_PLAN_SECTION_STRINGS].size_bytes == 0) {
    GENIE_RETURN_IF_ERROR(genie_plan_writer_append(writer, GENIE_PLAN_SECTION_STRINGS, "", 1, NULL));
  }
  section_buffer_t *chunks = &writer->sections[GENIE_PLAN_SECTION_WEIGHT_CHUNKS];
  const uint64_t chunk_count =
      weights_bytes / GENIE_PLAN_WEIGHT_CHUNK_BYTES + (weights_bytes % GENIE_PLAN_WEIGHT_CHUNK_BYTES != 0);
  GENIE_RETURN_IF_ERROR(reserve(writer->allocator, chunks, chunk_count * sizeof(genie_plan_digest_t)));
  chunks->size_bytes = chunk_count * sizeof(genie_plan_digest_t);
  writer->weights_bytes = weights_bytes;
  GENIE_RETURN_IF_ERROR(append_bytes(writer->allocator, &writer->manifest, manifest, manifest_bytes));
  GENIE_RETURN_IF_ERROR(lay_out(writer));
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_init(&writer->hasher));
  return open_temporary(writer, path);
}

//===-- Weights ---------------------------------------------------------------------------------------------------===//

static genie_status_t finish_chunk(genie_plan_writer_t *writer, uint64_t chunk) {
  return genie_plan_hasher_finish(&writer->hasher,
                                  genie_plan_writer_record(writer, GENIE_PLAN_SECTION_WEIGHT_CHUNKS, chunk));
}

genie_status_t genie_plan_writer_write_weights(genie_plan_writer_t *writer, const void *bytes, uint64_t size_bytes) {
  if (size_bytes > writer->weights_bytes - writer->weights_done) {
    return genie_status_make(GENIE_STATUS_INTERNAL, "more weights than the %llu bytes that were promised",
                             (unsigned long long)writer->weights_bytes);
  }
  const uint8_t *next = bytes;
  while (size_bytes > 0) {
    const uint64_t chunk_room = GENIE_PLAN_WEIGHT_CHUNK_BYTES - writer->weights_done % GENIE_PLAN_WEIGHT_CHUNK_BYTES;
    const uint64_t part = size_bytes < chunk_room ? size_bytes : chunk_room;
    GENIE_RETURN_IF_ERROR(genie_plan_hasher_update(&writer->hasher, next, part));
    GENIE_RETURN_IF_ERROR(write_at(writer, writer->weights_offset + writer->weights_done, next, part));
    if (part == chunk_room) {
      GENIE_RETURN_IF_ERROR(finish_chunk(writer, writer->weights_done / GENIE_PLAN_WEIGHT_CHUNK_BYTES));
    }
    writer->weights_done += part;
    next += part;
    size_bytes -= part;
  }
  return GENIE_OK;
}

genie_status_t genie_plan_writer_pad_weights(genie_plan_writer_t *writer, uint64_t offset) {
  static const uint8_t kZeros[4096] = {0};
  while (writer->weights_done < offset) {
    const uint64_t gap = offset - writer->weights_done;
    GENIE_RETURN_IF_ERROR(genie_plan_writer_write_weights(writer, kZeros, gap < sizeof(kZeros) ? gap : sizeof(kZeros)));
  }
  return GENIE_OK;
}

//===-- Finish ----------------------------------------------------------------------------------------------------===//

static genie_status_t write_sections(genie_plan_writer_t *writer) {
  genie_plan_header_t *header = (genie_plan_header_t *)writer->page;
  GENIE_RETURN_IF_ERROR(
      genie_plan_digest_of(writer->manifest.bytes, writer->manifest.size_bytes, &header->manifest_sha256));
  GENIE_RETURN_IF_ERROR(write_at(writer, header->manifest_offset, writer->manifest.bytes, writer->manifest.size_bytes));
  for (uint32_t i = 0; i < header->section_count; ++i) {
    genie_plan_section_t *section = &header->sections[i];
    const bool is_weights = section->kind == GENIE_PLAN_SECTION_WEIGHTS;
    const section_buffer_t *buffer = &writer->sections[is_weights ? GENIE_PLAN_SECTION_WEIGHT_CHUNKS : section->kind];
    GENIE_RETURN_IF_ERROR(genie_plan_digest_of(buffer->bytes, buffer->size_bytes, &section->sha256));
    if (!is_weights) {
      GENIE_RETURN_IF_ERROR(write_at(writer, section->offset, buffer->bytes, buffer->size_bytes));
    }
  }
  return GENIE_OK;
}

// Gives the file the mode that open() would have given it, its final size and its name.
static genie_status_t publish(genie_plan_writer_t *writer, uint64_t file_bytes) {
  const mode_t mask = umask(0);
  umask(mask);
  if (ftruncate(writer->file, (off_t)file_bytes) != 0 || fchmod(writer->file, 0666 & ~mask) != 0) {
    return fail_file(writer, "write");
  }
  const int file = writer->file;
  writer->file = -1;
  if (close(file) != 0 || rename(writer->temporary_path, writer->path) != 0) {
    return fail_file(writer, "write");
  }
  genie_allocator_free(writer->allocator, writer->temporary_path);
  writer->temporary_path = NULL;
  return GENIE_OK;
}

genie_status_t genie_plan_writer_finish(genie_plan_writer_t *writer, const char *signing_key,
                                        uint64_t *out_file_bytes) {
  GENIE_RETURN_IF_ERROR(genie_plan_writer_pad_weights(writer, writer->weights_bytes));
  if (writer->weights_done % GENIE_PLAN_WEIGHT_CHUNK_BYTES != 0) {
    GENIE_RETURN_IF_ERROR(finish_chunk(writer, writer->weights_done / GENIE_PLAN_WEIGHT_CHUNK_BYTES));
  }
  GENIE_RETURN_IF_ERROR(write_sections(writer));
  if (signing_key != NULL) {
    GENIE_RETURN_IF_ERROR(genie_plan_signature_make(signing_key, writer->page));
  }
  GENIE_RETURN_IF_ERROR(write_at(writer, 0, writer->page, sizeof(writer->page)));
  *out_file_bytes = ((const genie_plan_header_t *)writer->page)->file_bytes;
  return publish(writer, *out_file_bytes);
}

//===-- Lifetime --------------------------------------------------------------------------------------------------===//

genie_status_t genie_plan_writer_create(genie_allocator_t allocator, genie_plan_writer_t **out_writer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_plan_writer_t), &memory));
  *out_writer = memory;
  (*out_writer)->allocator = allocator;
  (*out_writer)->file = -1;
  return GENIE_OK;
}

void genie_plan_writer_destroy(genie_plan_writer_t *writer) {
  if (writer == NULL) {
    return;
  }
  if (writer->file >= 0) {
    close(writer->file);
  }
  if (writer->temporary_path != NULL) {
    unlink(writer->temporary_path);
  }
  for (uint32_t kind = 0; kind < kSectionKinds; ++kind) {
    genie_allocator_free(writer->allocator, writer->sections[kind].bytes);
  }
  genie_plan_hasher_deinit(&writer->hasher);
  genie_allocator_free(writer->allocator, writer->manifest.bytes);
  genie_allocator_free(writer->allocator, writer->string_slots);
  genie_allocator_free(writer->allocator, writer->path);
  genie_allocator_free(writer->allocator, writer->temporary_path);
  genie_allocator_free(writer->allocator, writer);
}
