#include "runtime/plan/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/string_builder.h"
#include "runtime/plan/digest.h"
#include "runtime/plan/signature.h"
#include "runtime/plan/verifier.h"

enum { kReadBlockBytes = 1 << 20 };

//===-- Files -----------------------------------------------------------------------------------------------------===//

// Reads exactly `size_bytes`; DATA_LOSS when the file ends before.
static genie_status_t read_at(int file, uint64_t offset, uint64_t size_bytes, void *destination) {
  uint64_t done = 0;
  while (done < size_bytes) {
    const ssize_t count = pread(file, (char *)destination + done, size_bytes - done, (off_t)(offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return genie_status_make(GENIE_STATUS_UNAVAILABLE, "cannot read byte %llu: %s",
                               (unsigned long long)(offset + done), strerror(errno));
    }
    if (count == 0) {
      return genie_status_make(GENIE_STATUS_DATA_LOSS, "truncated: the file ends at byte %llu",
                               (unsigned long long)(offset + done));
    }
    done += (uint64_t)count;
  }
  return GENIE_OK;
}

static genie_status_t open_file(const char *path, int *out_file, uint64_t *out_bytes) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return genie_status_make(errno == ENOENT ? GENIE_STATUS_NOT_FOUND : GENIE_STATUS_PERMISSION_DENIED,
                             "cannot open: %s", strerror(errno));
  }
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "not a regular file");
  }
  *out_file = file;
  *out_bytes = (uint64_t)info.st_size;
  return GENIE_OK;
}

//===-- Opening ---------------------------------------------------------------------------------------------------===//

// `base` holds the file up to its weights; the header is verified.
static void bind_sections(genie_plan_t *plan, const uint8_t *base) {
  plan->header = (const genie_plan_header_t *)base;
  plan->manifest = base + plan->header->manifest_offset;
  for (uint32_t i = 0; i < plan->header->section_count; ++i) {
    const genie_plan_section_t *section = &plan->header->sections[i];
    const void *bytes = base + section->offset;
    const uint64_t size_bytes = section->size_bytes;
    switch (section->kind) {
#define BIND(kind, pointer, count)                                 \
  case GENIE_PLAN_SECTION_##kind:                                  \
    plan->pointer = bytes;                                         \
    plan->count = (uint32_t)(size_bytes / sizeof(*plan->pointer)); \
    break;
      BIND(STRINGS, strings, string_bytes)
      BIND(SYMBOLS, symbols, symbol_count)
      BIND(EXPRS, exprs, expr_count)
      BIND(PLACES, places, place_count)
      BIND(TENSORS, tensors, tensor_count)
      BIND(SLICES, slices, slice_count)
      BIND(KERNELS, kernels, kernel_count)
      BIND(INDICES, indices, index_count)
      BIND(INSTRUCTIONS, instructions, instruction_count)
      BIND(ENTRIES, entries, entry_count)
      BIND(TRANSFERS, transfers, transfer_count)
      BIND(TARGETS, targets, target_count)
      BIND(CODE_OFFSETS, code_offsets, code_offset_count)
      BIND(WEIGHT_CHUNKS, weight_chunks, weight_chunk_count)
#undef BIND
      case GENIE_PLAN_SECTION_CODE:
        plan->code = bytes;
        plan->code_bytes = size_bytes;
        break;
      case GENIE_PLAN_SECTION_WEIGHTS:
        plan->weights_offset = section->offset;
        plan->weights_bytes = size_bytes;
        break;
      default:  // a section of a later minor version
        break;
    }
  }
}

static const char *section_name(uint32_t kind) {
  switch (kind) {
#define GENIE_PLAN_SECTION(enumerator, name, number, record) \
  case number:                                               \
    return #name;
#include "runtime/plan/section.def"
#undef GENIE_PLAN_SECTION
  }
  return "unknown";
}

static genie_status_t check_digest(const char *what, const void *bytes, uint64_t size_bytes,
                                   const genie_plan_digest_t *expected) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes, size_bytes, &digest));
  if (memcmp(&digest, expected, sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: damaged: its bytes do not match its SHA-256", what);
  }
  return GENIE_OK;
}

static genie_status_t check_digests(const genie_plan_t *plan) {
  const uint8_t *base = (const uint8_t *)plan->header;
  GENIE_RETURN_IF_ERROR(
      check_digest("manifest", plan->manifest, plan->header->manifest_bytes, &plan->header->manifest_sha256));
  for (uint32_t i = 0; i < plan->header->section_count; ++i) {
    const genie_plan_section_t *section = &plan->header->sections[i];
    const bool is_weights = section->kind == GENIE_PLAN_SECTION_WEIGHTS;
    const void *bytes = is_weights ? (const void *)plan->weight_chunks : base + section->offset;
    const uint64_t size_bytes =
        is_weights ? plan->weight_chunk_count * sizeof(genie_plan_digest_t) : section->size_bytes;
    GENIE_RETURN_IF_ERROR(check_digest(section_name(section->kind), bytes, size_bytes, &section->sha256));
  }
  return GENIE_OK;
}

static genie_status_t check_signature(const genie_plan_t *plan, const genie_plan_options_t *options) {
  const bool is_required = options->is_signature_required || options->trusted_keys_path != NULL;
  if (!plan->header->has_signature) {
    return is_required ? genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                                           "the plan is not signed; sign it with geniec --sign=KEY.pem")
                       : GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_plan_signature_verify((const uint8_t *)plan->header));
  return options->trusted_keys_path == NULL
             ? GENIE_OK
             : genie_plan_signature_find_key(options->trusted_keys_path, plan->header->signer_key);
}

static genie_status_t check_plan(const genie_plan_t *plan, const genie_plan_options_t *options) {
  static const genie_plan_options_t kDefaults = {0};
  GENIE_RETURN_IF_ERROR(check_digests(plan));
  GENIE_RETURN_IF_ERROR(check_signature(plan, options != NULL ? options : &kDefaults));
  return genie_plan_verify(plan);
}

static genie_status_t allocate_plan(genie_allocator_t allocator, genie_plan_t **out_plan) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_plan_t), &memory));
  *out_plan = memory;
  **out_plan = (genie_plan_t){.allocator = allocator, .file = -1};
  return GENIE_OK;
}

// Reads all before the weights into memory of the plan's.
static genie_status_t load_sections(genie_plan_t *plan, uint64_t file_bytes) {
  _Alignas(8) uint8_t page[GENIE_PLAN_HEADER_BYTES] = {0};
  const uint64_t page_bytes = file_bytes < sizeof(page) ? file_bytes : sizeof(page);
  GENIE_RETURN_IF_ERROR(read_at(plan->file, 0, page_bytes, page));
  const genie_plan_header_t *header = (const genie_plan_header_t *)page;
  GENIE_RETURN_IF_ERROR(genie_plan_verify_header(header, file_bytes));
  const uint64_t size_bytes = header->sections[header->section_count - 1].offset;
  plan->storage = plan->allocator.allocate(plan->allocator.self, size_bytes, GENIE_PLAN_PAGE_BYTES);
  if (plan->storage == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %llu bytes of plan",
                             (unsigned long long)size_bytes);
  }
  GENIE_RETURN_IF_ERROR(read_at(plan->file, 0, size_bytes, plan->storage));
  memcpy(plan->storage, page, sizeof(page));  // the bytes that were verified
  bind_sections(plan, plan->storage);
  return GENIE_OK;
}

genie_status_t genie_plan_open(const char *path, const genie_plan_options_t *options, genie_allocator_t allocator,
                               genie_plan_t **out_plan) {
  genie_plan_t *plan = NULL;
  GENIE_RETURN_IF_ERROR(allocate_plan(allocator, &plan));
  uint64_t file_bytes = 0;
  genie_status_t status = open_file(path, &plan->file, &file_bytes);
  if (status == GENIE_OK) {
    status = load_sections(plan, file_bytes);
  }
  if (status == GENIE_OK) {
    status = check_plan(plan, options);
  }
  if (status != GENIE_OK) {
    genie_plan_close(plan);
    return genie_status_annotate(status, "%s", path);
  }
  *out_plan = plan;
  return GENIE_OK;
}

genie_status_t genie_plan_open_memory(const void *bytes, uint64_t size_bytes, const genie_plan_options_t *options,
                                      genie_allocator_t allocator, genie_plan_t **out_plan) {
  _Alignas(8) uint8_t page[GENIE_PLAN_HEADER_BYTES] = {0};
  memcpy(page, bytes, size_bytes < sizeof(page) ? size_bytes : sizeof(page));
  GENIE_RETURN_IF_ERROR(genie_plan_verify_header((const genie_plan_header_t *)page, size_bytes));
  genie_plan_t *plan = NULL;
  GENIE_RETURN_IF_ERROR(allocate_plan(allocator, &plan));
  bind_sections(plan, bytes);
  plan->weights_memory = (const uint8_t *)bytes + plan->weights_offset;
  const genie_status_t status = check_plan(plan, options);
  if (status != GENIE_OK) {
    genie_plan_close(plan);
    return status;
  }
  *out_plan = plan;
  return GENIE_OK;
}

genie_status_t genie_plan_open_parts(const void *bytes, uint64_t size_bytes, const genie_plan_weight_source_t *source,
                                     const genie_plan_options_t *options, genie_allocator_t allocator,
                                     genie_plan_t **out_plan) {
  _Alignas(8) uint8_t page[GENIE_PLAN_HEADER_BYTES] = {0};
  memcpy(page, bytes, size_bytes < sizeof(page) ? size_bytes : sizeof(page));
  const genie_plan_header_t *header = (const genie_plan_header_t *)page;
  // The header's checks are against the whole file, whose size it states itself.
  GENIE_RETURN_IF_ERROR(genie_plan_verify_header(header, size_bytes < sizeof(page) ? size_bytes : header->file_bytes));
  const uint64_t expected = header->sections[header->section_count - 1].offset;
  if (size_bytes != expected) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a plan without its weights has %llu bytes, not %llu",
                             (unsigned long long)expected, (unsigned long long)size_bytes);
  }
  genie_plan_t *plan = NULL;
  GENIE_RETURN_IF_ERROR(allocate_plan(allocator, &plan));
  bind_sections(plan, bytes);
  plan->weight_source = *source;
  const genie_status_t status = check_plan(plan, options);
  if (status != GENIE_OK) {
    genie_plan_close(plan);
    return status;
  }
  *out_plan = plan;
  return GENIE_OK;
}

void genie_plan_close(genie_plan_t *plan) {
  if (plan == NULL) {
    return;
  }
  if (plan->file >= 0) {
    close(plan->file);
  }
  genie_allocator_free(plan->allocator, plan->storage);
  genie_allocator_free(plan->allocator, plan);
}

//===-- Weights ---------------------------------------------------------------------------------------------------===//

genie_status_t genie_plan_read_weights(const genie_plan_t *plan, uint64_t offset, uint64_t size_bytes,
                                       void *destination) {
  if (offset > plan->weights_bytes || size_bytes > plan->weights_bytes - offset) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "weights: bytes %llu to %llu of %llu",
                             (unsigned long long)offset, (unsigned long long)(offset + size_bytes),
                             (unsigned long long)plan->weights_bytes);
  }
  if (plan->weight_source.read != NULL) {
    return plan->weight_source.read(plan->weight_source.self, offset, size_bytes, destination);
  }
  if (plan->file < 0) {
    memcpy(destination, plan->weights_memory + offset, size_bytes);
    return GENIE_OK;
  }
  return genie_status_annotate(read_at(plan->file, plan->weights_offset + offset, size_bytes, destination), "weights");
}

static genie_status_t verify_chunk(const genie_plan_t *plan, uint32_t chunk, genie_plan_hasher_t *hasher, void *block) {
  uint64_t offset = (uint64_t)chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES;
  uint64_t end = offset + GENIE_PLAN_WEIGHT_CHUNK_BYTES;
  end = end < plan->weights_bytes ? end : plan->weights_bytes;
  while (offset < end) {
    const uint64_t size_bytes = end - offset < kReadBlockBytes ? end - offset : kReadBlockBytes;
    GENIE_RETURN_IF_ERROR(genie_plan_read_weights(plan, offset, size_bytes, block));
    GENIE_RETURN_IF_ERROR(genie_plan_hasher_update(hasher, block, size_bytes));
    offset += size_bytes;
  }
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_finish(hasher, &digest));
  if (memcmp(&digest, &plan->weight_chunks[chunk], sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "weights: chunk %u (64 MiB each) does not match its SHA-256",
                             chunk);
  }
  return GENIE_OK;
}

void genie_plan_mark_weight_chunks(const genie_plan_t *plan, uint32_t place, bool *is_needed) {
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    const genie_plan_tensor_t *tensor = &plan->tensors[i];
    if (tensor->role != GENIE_PLAN_ROLE_WEIGHT || tensor->place != place || tensor->maximum_bytes == 0) {
      continue;
    }
    const uint64_t last = (tensor->offset + tensor->maximum_bytes - 1) / GENIE_PLAN_WEIGHT_CHUNK_BYTES;
    for (uint64_t chunk = tensor->offset / GENIE_PLAN_WEIGHT_CHUNK_BYTES; chunk <= last; ++chunk) {
      is_needed[chunk] = true;
    }
  }
}

genie_status_t genie_plan_verify_weights(const genie_plan_t *plan) {
  void *block = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(plan->allocator, kReadBlockBytes, 1, &block));
  genie_plan_hasher_t hasher = {0};
  genie_status_t status = genie_plan_hasher_init(&hasher);
  for (uint32_t chunk = 0; status == GENIE_OK && chunk < plan->weight_chunk_count; ++chunk) {
    status = verify_chunk(plan, chunk, &hasher, block);
  }
  genie_plan_hasher_deinit(&hasher);
  genie_allocator_free(plan->allocator, block);
  return status;
}
