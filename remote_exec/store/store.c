#include "remote_exec/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "remote_exec/store/store_state.h"
#include "runtime/base/checked_math.h"

static const uint64_t kChunkBytes = GENIE_PLAN_WEIGHT_CHUNK_BYTES;
static const uint64_t kHugePageBytes = 2 * 1024 * 1024;

// ---- Messages ----

void genie_store_warn(genie_store_t *store, const char *format, ...) {
  char message[512];
  va_list args;
  if (store->warn == NULL) {
    return;
  }
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  store->warn(store->warn_self, message);
}

void genie_store_note_disk(genie_store_t *store, genie_status_t status) {
  pthread_mutex_lock(&store->mutex);
  const bool is_news = status != GENIE_OK && !store->is_disk_failing;
  store->is_disk_failing = status != GENIE_OK;
  pthread_mutex_unlock(&store->mutex);
  if (is_news) {
    genie_store_warn(store, "%s; weights are kept in memory only", genie_status_message(status));
  }
  genie_status_free(status);
}

// ---- Creation ----

static genie_status_t open_shared_folder(genie_store_t *store, const char *folder) {
  char *resolved = realpath(folder, NULL);
  const int opened = resolved == NULL ? -1 : open(resolved, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) {
    free(resolved);
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "cannot share weights from %s: %s", folder, strerror(errno));
  }
  const uint32_t index = store->shared_folder_count++;
  const size_t length = strlen(resolved);
  void *path = NULL;
  store->shared_folders[index] = opened;
  const genie_status_t status = genie_allocator_allocate_array(store->allocator, length + 2, 1, &path);
  if (status == GENIE_OK) {
    memcpy(path, resolved, length);
    strcpy((char *)path + length, length > 0 && resolved[length - 1] == '/' ? "" : "/");
    store->shared_paths[index] = path;
  }
  free(resolved);
  return status;
}

static genie_status_t open_shared_folders(genie_store_t *store, const char *const *folders) {
  size_t count = 0;
  void *opened = NULL, *paths = NULL;
  while (folders != NULL && folders[count] != NULL) {
    ++count;
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(store->allocator, count + 1, sizeof(int), &opened));
  store->shared_folders = opened;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(store->allocator, count + 1, sizeof(char *), &paths));
  store->shared_paths = paths;
  for (size_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(open_shared_folder(store, folders[i]));
  }
  return GENIE_OK;
}

static void init_locks(genie_store_t *store) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&store->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&store->mutex, NULL);
}

genie_status_t genie_store_create(const genie_store_options_t *options, genie_allocator_t allocator,
                                  genie_store_t **out_store) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_store_t), &memory));
  genie_store_t *store = memory;
  *store = (genie_store_t){.allocator = allocator,
                           .memory_limit_bytes = options->memory_limit_bytes,
                           .idle_limit_bytes = options->idle_limit_bytes,
                           .warn = options->warn,
                           .warn_self = options->warn_self};
  init_locks(store);
  genie_status_t status = open_shared_folders(store, options->shared_folders);
  if (status == GENIE_OK && options->folder != NULL) {
    status = genie_chunk_cache_create(options->folder, options->disk_limit_bytes, allocator, &store->disk);
  }
  if (status != GENIE_OK) {
    genie_store_destroy(store);
    return status;
  }
  *out_store = store;
  return GENIE_OK;
}

static void destroy_image(genie_store_image_t *image) {
  const genie_allocator_t allocator = image->store->allocator;
  for (uint32_t i = 0; image->slots != NULL && i < image->chunk_count; ++i) {
    genie_plan_hasher_deinit(&image->slots[i].hasher);
  }
  if (image->memory != NULL) {
    munmap(image->memory, image->size_bytes);
  }
  genie_allocator_free(allocator, image->chunks);
  genie_allocator_free(allocator, image->slots);
  genie_allocator_free(allocator, image);
}

void genie_store_destroy(genie_store_t *store) {
  if (store == NULL) {
    return;
  }
  for (genie_store_image_t *image = store->images; image != NULL;) {
    genie_store_image_t *next = image->next;
    destroy_image(image);
    image = next;
  }
  genie_chunk_cache_destroy(store->disk);
  for (uint32_t i = 0; i < store->shared_folder_count; ++i) {
    close(store->shared_folders[i]);
    genie_allocator_free(store->allocator, store->shared_paths[i]);
  }
  genie_allocator_free(store->allocator, store->shared_folders);
  genie_allocator_free(store->allocator, store->shared_paths);
  pthread_cond_destroy(&store->changed);
  pthread_mutex_destroy(&store->mutex);
  genie_allocator_free(store->allocator, store);
}

void genie_store_get_stats(genie_store_t *store, genie_store_stats_t *out_stats) {
  pthread_mutex_lock(&store->mutex);
  *out_stats = store->counts;
  for (const genie_store_image_t *image = store->images; image != NULL; image = image->next) {
    out_stats->image_count += 1;
    out_stats->image_bytes += image->needed_bytes;
    out_stats->idle_image_count += image->user_count == 0;
    out_stats->idle_image_bytes += image->user_count == 0 ? image->needed_bytes : 0;
  }
  out_stats->has_disk = store->disk != NULL && !store->is_disk_failing;
  pthread_mutex_unlock(&store->mutex);
  if (store->disk != NULL) {
    genie_chunk_cache_stats_t disk;
    genie_chunk_cache_get_stats(store->disk, &disk);
    out_stats->disk_chunk_count = disk.chunk_count;
    out_stats->disk_bytes = disk.size_bytes;
    out_stats->corrupt_files = disk.corrupt_files;
    out_stats->evicted_files = disk.evicted_files;
  }
}

// ---- Slots ----

uint64_t genie_store_chunk_bytes(const genie_store_image_t *image, uint32_t chunk) {
  const uint64_t rest = image->size_bytes - chunk * kChunkBytes;
  return rest < kChunkBytes ? rest : kChunkBytes;
}

uint8_t *genie_store_chunk_memory(const genie_store_image_t *image, uint32_t chunk) {
  return image->memory + chunk * kChunkBytes;
}

bool genie_store_has_needed(const genie_store_image_t *image, const bool *needed) {
  for (uint32_t i = 0; i < image->chunk_count; ++i) {
    if (genie_store_needs(needed, i) && image->slots[i].state != GENIE_STORE_SLOT_READY) {
      return false;
    }
  }
  return true;
}

bool genie_store_take_slot(genie_store_image_t *image, uint32_t chunk) {
  const bool is_missing = image->slots[chunk].is_needed && image->slots[chunk].state == GENIE_STORE_SLOT_MISSING;
  if (is_missing) {
    image->slots[chunk].state = GENIE_STORE_SLOT_CLAIMED;
  }
  return is_missing;
}

void genie_store_reset_slot(genie_store_slot_t *slot) {
  genie_plan_hasher_deinit(&slot->hasher);
  slot->received_bytes = 0;
}

void genie_store_settle_slot(genie_store_image_t *image, uint32_t chunk, genie_store_slot_state_t state) {
  genie_store_t *store = image->store;
  if (state == GENIE_STORE_SLOT_READY) {
    genie_store_reset_slot(&image->slots[chunk]);
  }
  if (state == GENIE_STORE_SLOT_READY) {
    // What several sessions read, none can write.
    (void)mprotect(genie_store_chunk_memory(image, chunk), genie_store_chunk_bytes(image, chunk), PROT_READ);
  }
  pthread_mutex_lock(&store->mutex);
  image->slots[chunk].state = state;
  pthread_cond_broadcast(&store->changed);
  pthread_mutex_unlock(&store->mutex);
}

// ---- Images ----

static genie_status_t map_image(genie_store_image_t *image) {
  void *mapped =
      mmap(NULL, image->size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no %llu bytes of memory for weights",
                             (unsigned long long)image->size_bytes);
  }
  image->memory = mapped;
  if (image->size_bytes >= kHugePageBytes) {
    (void)madvise(mapped, image->size_bytes, MADV_HUGEPAGE);
  }
  return GENIE_OK;
}

static genie_status_t make_image(genie_store_t *store, const genie_plan_digest_t *chunks, uint32_t chunk_count,
                                 uint64_t size_bytes, genie_store_image_t **out_image) {
  void *memory = NULL, *slots = NULL, *digests = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(store->allocator, 1, sizeof(genie_store_image_t), &memory));
  genie_store_image_t *image = memory;
  *image = (genie_store_image_t){.store = store, .chunk_count = chunk_count, .size_bytes = size_bytes};
  genie_status_t status =
      genie_allocator_allocate_array(store->allocator, chunk_count, sizeof(genie_store_slot_t), &slots);
  image->slots = slots;
  if (status == GENIE_OK) {
    status = genie_allocator_allocate_array(store->allocator, chunk_count, sizeof(*chunks), &digests);
    image->chunks = digests;
  }
  if (status == GENIE_OK && chunk_count > 0) {
    memcpy(digests, chunks, chunk_count * sizeof(*chunks));
    status = map_image(image);
  }
  if (status != GENIE_OK) {
    destroy_image(image);
    return status;
  }
  *out_image = image;
  return GENIE_OK;
}

static void drop_image(genie_store_image_t *image) {
  genie_store_t *store = image->store;
  for (genie_store_image_t **link = &store->images; *link != NULL; link = &(*link)->next) {
    if (*link == image) {
      *link = image->next;
      break;
    }
  }
  store->used_bytes -= image->needed_bytes;
  destroy_image(image);
}

// Drops idle images, the least recently used first, until those left take at most `limit_bytes`.
static void trim_idle_images(genie_store_t *store, uint64_t limit_bytes) {
  for (;;) {
    genie_store_image_t *oldest = NULL;
    uint64_t idle_bytes = 0;
    for (genie_store_image_t *image = store->images; image != NULL; image = image->next) {
      if (image->user_count == 0) {
        idle_bytes += image->needed_bytes;
        oldest = oldest == NULL || image->last_used < oldest->last_used ? image : oldest;
      }
    }
    if (oldest == NULL || idle_bytes <= limit_bytes) {
      return;
    }
    drop_image(oldest);
  }
}

static genie_store_image_t *find_image(genie_store_t *store, const genie_plan_digest_t *chunks, uint32_t chunk_count,
                                       uint64_t size_bytes) {
  for (genie_store_image_t *image = store->images; image != NULL; image = image->next) {
    if (image->size_bytes == size_bytes && image->chunk_count == chunk_count &&
        (chunk_count == 0 || memcmp(image->chunks, chunks, chunk_count * sizeof(*chunks)) == 0)) {
      return image;
    }
  }
  return NULL;
}

// Makes room for another image among those that sessions use.
static genie_status_t reserve_memory(genie_store_t *store, uint64_t size_bytes) {
  const uint64_t limit = store->memory_limit_bytes == 0 ? UINT64_MAX : store->memory_limit_bytes;
  if (size_bytes <= limit && store->used_bytes > limit - size_bytes) {
    trim_idle_images(store, 0);
  }
  if (size_bytes > limit || store->used_bytes > limit - size_bytes) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED,
                             "weights of %llu bytes do not fit: the node keeps at most %llu and %llu are in use",
                             (unsigned long long)size_bytes, (unsigned long long)limit,
                             (unsigned long long)store->used_bytes);
  }
  return GENIE_OK;
}

// With the mutex: reserves memory for chunks that nobody needed before.
static genie_status_t need_chunks(genie_store_image_t *image, const bool *needed) {
  genie_store_t *store = image->store;
  uint64_t size_bytes = 0;
  for (uint32_t i = 0; i < image->chunk_count; ++i) {
    if (genie_store_needs(needed, i) && !image->slots[i].is_needed) {
      size_bytes += genie_store_chunk_bytes(image, i);
    }
  }
  GENIE_RETURN_IF_ERROR(reserve_memory(store, size_bytes));
  for (uint32_t i = 0; i < image->chunk_count; ++i) {
    image->slots[i].is_needed = image->slots[i].is_needed || genie_store_needs(needed, i);
  }
  image->needed_bytes += size_bytes;
  store->used_bytes += size_bytes;
  return GENIE_OK;
}

// With the mutex.
static genie_status_t open_image(genie_store_t *store, const genie_plan_digest_t *chunks, uint32_t chunk_count,
                                 uint64_t size_bytes, const bool *needed, genie_store_image_t **out_image) {
  genie_store_image_t *image = find_image(store, chunks, chunk_count, size_bytes);
  if (image == NULL) {
    GENIE_RETURN_IF_ERROR(make_image(store, chunks, chunk_count, size_bytes, &image));
    image->next = store->images;
    store->images = image;
  }
  image->user_count += 1;  // before others are trimmed
  const genie_status_t status = need_chunks(image, needed);
  if (status != GENIE_OK) {
    image->user_count -= 1;
    if (image->user_count == 0 && image->needed_bytes == 0) {
      drop_image(image);
    }
    return status;
  }
  *out_image = image;
  return GENIE_OK;
}

genie_status_t genie_store_image_open(genie_store_t *store, const genie_plan_digest_t *chunks, uint32_t chunk_count,
                                      uint64_t size_bytes, const bool *needed, genie_store_image_t **out_image) {
  if (size_bytes / kChunkBytes + (size_bytes % kChunkBytes > 0) != chunk_count) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%u chunks do not make %llu bytes of weights", chunk_count,
                             (unsigned long long)size_bytes);
  }
  pthread_mutex_lock(&store->mutex);
  const genie_status_t status = open_image(store, chunks, chunk_count, size_bytes, needed, out_image);
  pthread_mutex_unlock(&store->mutex);
  return status;
}

void genie_store_release_image(genie_store_image_t *image) {
  genie_store_t *store = image->store;
  image->user_count -= 1;
  image->last_used = ++store->clock;
  if (image->user_count == 0) {
    trim_idle_images(store, store->idle_limit_bytes);
  }
}

void genie_store_image_close(genie_store_image_t *image) {
  if (image == NULL) {
    return;
  }
  genie_store_t *store = image->store;
  pthread_mutex_lock(&store->mutex);
  genie_store_release_image(image);
  pthread_mutex_unlock(&store->mutex);
}

bool genie_store_image_is_complete(genie_store_image_t *image, const bool *needed) {
  pthread_mutex_lock(&image->store->mutex);
  const bool is_complete = genie_store_has_needed(image, needed);
  pthread_mutex_unlock(&image->store->mutex);
  return is_complete;
}

uint32_t genie_store_image_missing(genie_store_image_t *image, const bool *needed, uint32_t *out_chunks,
                                   uint32_t capacity) {
  uint32_t count = 0;
  pthread_mutex_lock(&image->store->mutex);
  for (uint32_t i = 0; i < image->chunk_count; ++i) {
    if (genie_store_needs(needed, i) && image->slots[i].state == GENIE_STORE_SLOT_MISSING) {
      if (count < capacity) {
        out_chunks[count] = i;
      }
      ++count;
    }
  }
  pthread_mutex_unlock(&image->store->mutex);
  return count;
}

const void *genie_store_image_memory(const genie_store_image_t *image) {
  return image->memory;
}

// Whether the chunks of bytes [offset, end) are there.
static bool has_bytes(genie_store_image_t *image, uint64_t offset, uint64_t end) {
  bool is_there = true;
  pthread_mutex_lock(&image->store->mutex);
  for (uint64_t chunk = offset / kChunkBytes; chunk * kChunkBytes < end; ++chunk) {
    is_there = is_there && image->slots[chunk].state == GENIE_STORE_SLOT_READY;
  }
  pthread_mutex_unlock(&image->store->mutex);
  return is_there;
}

genie_status_t genie_store_image_read(void *self, uint64_t offset, uint64_t size_bytes, void *destination) {
  genie_store_image_t *image = self;
  uint64_t end = 0;
  if (!genie_checked_add_u64(offset, size_bytes, &end) || end > image->size_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "there are %llu bytes of weights",
                             (unsigned long long)image->size_bytes);
  }
  if (!has_bytes(image, offset, end)) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the weights have not arrived yet");
  }
  if (size_bytes > 0) {
    memcpy(destination, image->memory + offset, size_bytes);
  }
  return GENIE_OK;
}
