#include "remote_exec/memory/network_memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/memory/page_source.h"
#include "runtime/base/checked_math.h"

// A stretch of the range: the list is in the order of addresses and leaves no gaps.
typedef struct stretch {
  struct stretch *next;
  uint64_t offset;
  uint64_t size_bytes;
  bool is_used;
} stretch_t;

typedef struct registration {
  genie_network_registrar_t registrar;
  void *handle;
} registration_t;

struct genie_network_memory {
  genie_allocator_t allocator;
  genie_pages_t pages;
  const genie_page_source_t *source;
  genie_network_memory_kind_t kind;
  char reason[GENIE_NETWORK_MEMORY_MAX_REASON_BYTES];
  pthread_mutex_t mutex;  // of all below
  stretch_t *stretches;
  uint64_t used_bytes;
  registration_t registrations[GENIE_NETWORK_MEMORY_MAX_REGISTRATIONS];
  uint32_t registration_count;
};

static const struct {
  const char *name;
  const genie_page_source_t *source;
} kKinds[] = {
    [GENIE_NETWORK_MEMORY_PLAIN] = {"plain", &genie_page_source_plain},
    [GENIE_NETWORK_MEMORY_HUGEPAGE] = {"hugepage", &genie_page_source_hugepage},
    [GENIE_NETWORK_MEMORY_DPDK] = {"dpdk", &genie_page_source_dpdk},
};

const char *genie_network_memory_kind_name(genie_network_memory_kind_t kind) {
  return kKinds[kind].name;
}

// ---- Creation ----

static genie_status_t take_kind(genie_network_memory_t *memory, genie_network_memory_kind_t kind, uint64_t size_bytes) {
  GENIE_RETURN_IF_ERROR(kKinds[kind].source->take(size_bytes, &memory->pages));
  memory->source = kKinds[kind].source;
  memory->kind = kind;
  return GENIE_OK;
}

static genie_status_t refuse_other(genie_network_memory_kind_t kind, genie_status_t cause) {
  const genie_status_code_t code = genie_status_code(cause) == GENIE_STATUS_UNIMPLEMENTED
                                       ? GENIE_STATUS_UNIMPLEMENTED
                                       : GENIE_STATUS_FAILED_PRECONDITION;
  const genie_status_t status = genie_status_make(code, "network memory of kind '%s' was demanded: %s",
                                                  kKinds[kind].name, genie_status_message(cause));
  genie_status_free(cause);
  return status;
}

static genie_status_t take_pages(genie_network_memory_t *memory, const genie_network_memory_options_t *options) {
  const genie_status_t status = take_kind(memory, options->kind, options->size_bytes);
  if (status == GENIE_OK || options->kind == GENIE_NETWORK_MEMORY_PLAIN) {
    return status;
  }
  if (options->is_demanded) {
    return refuse_other(options->kind, status);
  }
  snprintf(memory->reason, sizeof(memory->reason), "%s", genie_status_message(status));
  genie_status_free(status);
  return take_kind(memory, GENIE_NETWORK_MEMORY_PLAIN, options->size_bytes);
}

static genie_status_t make_stretch(genie_network_memory_t *memory, uint64_t offset, uint64_t size_bytes,
                                   stretch_t *next, stretch_t **out_stretch) {
  void *made = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(memory->allocator, 1, sizeof(stretch_t), &made));
  *out_stretch = made;
  **out_stretch = (stretch_t){.next = next, .offset = offset, .size_bytes = size_bytes};
  return GENIE_OK;
}

genie_status_t genie_network_memory_create(const genie_network_memory_options_t *options, genie_allocator_t allocator,
                                           genie_network_memory_t **out_memory) {
  void *made = NULL;
  if (options->size_bytes == 0 || (unsigned)options->kind > GENIE_NETWORK_MEMORY_DPDK) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "network memory needs a size and a kind");
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_network_memory_t), &made));
  genie_network_memory_t *memory = made;
  *memory = (genie_network_memory_t){.allocator = allocator};
  pthread_mutex_init(&memory->mutex, NULL);
  genie_status_t status = take_pages(memory, options);
  if (status == GENIE_OK) {
    status = make_stretch(memory, 0, memory->pages.size_bytes, NULL, &memory->stretches);
  }
  if (status != GENIE_OK) {
    genie_network_memory_destroy(memory);
    return status;
  }
  *out_memory = memory;
  return GENIE_OK;
}

void genie_network_memory_destroy(genie_network_memory_t *memory) {
  if (memory == NULL) {
    return;
  }
  while (memory->registration_count > 0) {
    const registration_t *last = &memory->registrations[--memory->registration_count];
    last->registrar.remove(last->registrar.self, last->handle);
  }
  for (stretch_t *stretch = memory->stretches; stretch != NULL;) {
    stretch_t *next = stretch->next;
    genie_allocator_free(memory->allocator, stretch);
    stretch = next;
  }
  if (memory->source != NULL) {
    memory->source->give_back(&memory->pages);
  }
  pthread_mutex_destroy(&memory->mutex);
  genie_allocator_free(memory->allocator, memory);
}

void genie_network_memory_get_report(genie_network_memory_t *memory, genie_network_memory_report_t *out_report) {
  pthread_mutex_lock(&memory->mutex);
  *out_report = (genie_network_memory_report_t){.kind = memory->kind,
                                                .page_bytes = memory->pages.page_bytes,
                                                .size_bytes = memory->pages.size_bytes,
                                                .used_bytes = memory->used_bytes,
                                                .registration_count = memory->registration_count};
  memcpy(out_report->reason, memory->reason, sizeof(memory->reason));
  pthread_mutex_unlock(&memory->mutex);
}

void *genie_network_memory_base(const genie_network_memory_t *memory) {
  return memory->pages.address;
}

// ---- Registration ----

static const registration_t *find_registration(const genie_network_memory_t *memory, const char *name) {
  for (uint32_t i = 0; i < memory->registration_count; ++i) {
    if (strcmp(memory->registrations[i].registrar.name, name) == 0) {
      return &memory->registrations[i];
    }
  }
  return NULL;
}

// With the mutex.
static genie_status_t add_registration(genie_network_memory_t *memory, const genie_network_registrar_t *registrar) {
  if (find_registration(memory, registrar->name) != NULL) {
    return GENIE_OK;
  }
  if (memory->registration_count == GENIE_NETWORK_MEMORY_MAX_REGISTRATIONS) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "network memory has at most %d registrars",
                             GENIE_NETWORK_MEMORY_MAX_REGISTRATIONS);
  }
  registration_t *next = &memory->registrations[memory->registration_count];
  GENIE_RETURN_IF_ERROR(
      registrar->add(registrar->self, memory->pages.address, memory->pages.size_bytes, &next->handle));
  next->registrar = *registrar;
  memory->registration_count += 1;
  return GENIE_OK;
}

genie_status_t genie_network_memory_register(genie_network_memory_t *memory,
                                             const genie_network_registrar_t *registrar) {
  pthread_mutex_lock(&memory->mutex);
  const genie_status_t status = add_registration(memory, registrar);
  pthread_mutex_unlock(&memory->mutex);
  return status;
}

void *genie_network_memory_handle(genie_network_memory_t *memory, const char *name) {
  pthread_mutex_lock(&memory->mutex);
  const registration_t *found = find_registration(memory, name);
  void *handle = found == NULL ? NULL : found->handle;
  pthread_mutex_unlock(&memory->mutex);
  return handle;
}

// ---- Pieces ----

// With the mutex: the first stretch that is large enough, cut to size.
static genie_status_t take_stretch(genie_network_memory_t *memory, uint64_t size_bytes, stretch_t **out_stretch) {
  stretch_t *stretch = memory->stretches;
  while (stretch != NULL && (stretch->is_used || stretch->size_bytes < size_bytes)) {
    stretch = stretch->next;
  }
  if (stretch == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                             "network memory of %llu bytes, of which %llu are in use, has no free piece of %llu",
                             (unsigned long long)memory->pages.size_bytes, (unsigned long long)memory->used_bytes,
                             (unsigned long long)size_bytes);
  }
  if (stretch->size_bytes > size_bytes) {
    GENIE_RETURN_IF_ERROR(make_stretch(memory, stretch->offset + size_bytes, stretch->size_bytes - size_bytes,
                                       stretch->next, &stretch->next));
    stretch->size_bytes = size_bytes;
  }
  stretch->is_used = true;
  memory->used_bytes += size_bytes;
  *out_stretch = stretch;
  return GENIE_OK;
}

genie_status_t genie_network_memory_allocate(genie_network_memory_t *memory, uint64_t size_bytes, void **out_piece) {
  stretch_t *stretch = NULL;
  uint64_t whole_bytes = 0;
  if (!genie_checked_align_u64(size_bytes == 0 ? 1 : size_bytes, GENIE_NETWORK_MEMORY_ALIGNMENT, &whole_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory has so many bytes");
  }
  pthread_mutex_lock(&memory->mutex);
  const genie_status_t status = take_stretch(memory, whole_bytes, &stretch);
  if (status == GENIE_OK) {
    *out_piece = (uint8_t *)memory->pages.address + stretch->offset;
  }
  pthread_mutex_unlock(&memory->mutex);
  return status;
}

static void join_with_next(genie_network_memory_t *memory, stretch_t *stretch) {
  stretch_t *next = stretch->next;
  if (next != NULL && !next->is_used) {
    stretch->size_bytes += next->size_bytes;
    stretch->next = next->next;
    genie_allocator_free(memory->allocator, next);
  }
}

void genie_network_memory_free(genie_network_memory_t *memory, void *piece) {
  if (piece == NULL) {
    return;
  }
  const uint64_t offset = (uint64_t)((uint8_t *)piece - (uint8_t *)memory->pages.address);
  pthread_mutex_lock(&memory->mutex);
  stretch_t *before = NULL, *stretch = memory->stretches;
  while (stretch->offset != offset) {
    before = stretch;
    stretch = stretch->next;
  }
  stretch->is_used = false;
  memory->used_bytes -= stretch->size_bytes;
  join_with_next(memory, stretch);
  if (before != NULL && !before->is_used) {
    join_with_next(memory, before);
  }
  pthread_mutex_unlock(&memory->mutex);
}

// ---- As an allocator ----

// A piece with a larger alignment has its true start just before it.
static void *allocate_aligned(void *self, size_t size_bytes, size_t alignment) {
  void *piece = NULL;
  uint64_t whole_bytes = 0;
  const uint64_t margin = alignment <= GENIE_NETWORK_MEMORY_ALIGNMENT ? GENIE_NETWORK_MEMORY_ALIGNMENT : alignment;
  if (!genie_checked_add_u64(size_bytes, margin, &whole_bytes)) {
    return NULL;
  }
  const genie_status_t status = genie_network_memory_allocate(self, whole_bytes, &piece);
  if (status != GENIE_OK) {
    genie_status_free(status);
    return NULL;
  }
  uint8_t *aligned = (uint8_t *)(((uintptr_t)piece + margin) & ~(uintptr_t)(margin - 1));
  memcpy(aligned - sizeof(piece), &piece, sizeof(piece));
  return aligned;
}

static void free_aligned(void *self, void *pointer) {
  void *piece = NULL;
  if (pointer != NULL) {
    memcpy(&piece, (uint8_t *)pointer - sizeof(piece), sizeof(piece));
    genie_network_memory_free(self, piece);
  }
}

genie_allocator_t genie_network_memory_allocator(genie_network_memory_t *memory) {
  return (genie_allocator_t){.self = memory, .allocate = allocate_aligned, .deallocate = free_aligned};
}
