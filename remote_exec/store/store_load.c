// What is here already: chunks of other images, of the disk cache, and of a file that the client named.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "remote_exec/store/store_state.h"

enum { kPieceBytes = 1 << 20, kNoFile = -1, kMostLoaders = 4 };

// ---- The named file ----

// The folder decides what can be opened: no "..", no link that leads out of it.
static int open_beneath(int folder, const char *path) {
  const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

static genie_status_t open_file(genie_store_t *store, const char *path, int *out_file) {
  struct stat info;
  for (uint32_t i = 0; i < store->shared_folder_count; ++i) {
    const size_t length = strlen(store->shared_paths[i]);
    if (strncmp(path, store->shared_paths[i], length) != 0) {
      continue;
    }
    const int file = open_beneath(store->shared_folders[i], path + length);
    if (file >= 0 && fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
      *out_file = file;
      return GENIE_OK;
    }
    if (file >= 0) {
      close(file);
    }
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "the node cannot read weights from the path that was named");
  }
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "the node shares no weights from that path");
}

// False when the file has too few bytes, or others than the digest says.
static bool read_from_file(int file, uint64_t offset, genie_store_image_t *image, uint32_t chunk) {
  const uint64_t size_bytes = genie_store_chunk_bytes(image, chunk);
  uint8_t *address = genie_store_chunk_memory(image, chunk);
  genie_plan_hasher_t hasher;
  genie_plan_digest_t found;
  uint64_t done = 0;
  genie_status_t status = genie_plan_hasher_init(&hasher);
  while (status == GENIE_OK && done < size_bytes) {
    const uint64_t wanted = size_bytes - done < kPieceBytes ? size_bytes - done : kPieceBytes;
    const ssize_t got = pread(file, address + done, wanted, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    status = genie_plan_hasher_update(&hasher, address + done, (uint64_t)got);
    done += (uint64_t)got;
  }
  if (status == GENIE_OK) {
    status = genie_plan_hasher_finish(&hasher, &found);
  }
  genie_plan_hasher_deinit(&hasher);
  const bool is_right =
      status == GENIE_OK && done == size_bytes && memcmp(&found, &image->chunks[chunk], sizeof(found)) == 0;
  genie_status_free(status);
  return is_right;
}

// ---- Other images ----

// An image that has the chunk, kept from going; NULL when there is none.
static genie_store_image_t *find_twin(genie_store_image_t *image, uint32_t chunk, uint32_t *out_chunk) {
  genie_store_image_t *found = NULL;
  pthread_mutex_lock(&image->store->mutex);
  for (genie_store_image_t *other = image->store->images; other != NULL && found == NULL; other = other->next) {
    for (uint32_t i = 0; i < other->chunk_count && found == NULL; ++i) {
      if (other->slots[i].state == GENIE_STORE_SLOT_READY &&
          genie_store_chunk_bytes(other, i) == genie_store_chunk_bytes(image, chunk) &&
          memcmp(&other->chunks[i], &image->chunks[chunk], sizeof(image->chunks[chunk])) == 0) {
        found = other;
        found->user_count += 1;
        *out_chunk = i;
      }
    }
  }
  pthread_mutex_unlock(&image->store->mutex);
  return found;
}

static bool copy_from_twin(genie_store_image_t *image, uint32_t chunk) {
  uint32_t theirs = 0;
  genie_store_image_t *twin = find_twin(image, chunk, &theirs);
  if (twin == NULL) {
    return false;
  }
  memcpy(genie_store_chunk_memory(image, chunk), genie_store_chunk_memory(twin, theirs),
         genie_store_chunk_bytes(image, chunk));
  genie_store_image_close(twin);
  return true;
}

// ---- All sources ----

static bool read_from_disk(genie_store_image_t *image, uint32_t chunk) {
  genie_store_t *store = image->store;
  if (store->disk == NULL) {
    return false;
  }
  const genie_status_t status =
      genie_chunk_cache_read(store->disk, &image->chunks[chunk], genie_store_chunk_bytes(image, chunk),
                             genie_store_chunk_memory(image, chunk));
  if (status != GENIE_OK && genie_status_code(status) != GENIE_STATUS_NOT_FOUND) {
    genie_store_warn(store, "%s", genie_status_message(status));
  }
  genie_status_free(status);
  return status == GENIE_OK;
}

// The chunk is claimed and nothing of it has arrived.
static bool bring(genie_store_image_t *image, uint32_t chunk, int file, uint64_t offset) {
  uint64_t *hits = &image->store->counts.memory_hits;
  bool is_brought = copy_from_twin(image, chunk);
  if (!is_brought) {
    hits = &image->store->counts.disk_hits;
    is_brought = read_from_disk(image, chunk);
  }
  if (!is_brought && file != kNoFile) {
    hits = &image->store->counts.file_hits;
    is_brought = read_from_file(file, offset + (uint64_t)chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES, image, chunk);
  }
  pthread_mutex_lock(&image->store->mutex);
  *hits += is_brought;
  pthread_mutex_unlock(&image->store->mutex);
  return is_brought;
}

// What one of several threads works on.
typedef struct loading {
  genie_store_image_t *image;
  const bool *needed;
  int file;
  uint64_t offset;
  uint32_t next;  // chunk that nobody has looked at; atomic
} loading_t;

static void *load_chunks(void *self) {
  loading_t *loading = self;
  genie_store_image_t *image = loading->image;
  for (;;) {
    const uint32_t chunk = __atomic_fetch_add(&loading->next, 1, __ATOMIC_RELAXED);
    if (chunk >= image->chunk_count) {
      return NULL;
    }
    pthread_mutex_lock(&image->store->mutex);
    // A chunk that has begun to arrive is left to its upload.
    const genie_store_slot_t *slot = &image->slots[chunk];
    const bool is_taken = genie_store_needs(loading->needed, chunk) && slot->state == GENIE_STORE_SLOT_MISSING &&
                          slot->received_bytes == 0 && genie_store_take_slot(image, chunk);
    pthread_mutex_unlock(&image->store->mutex);
    if (is_taken) {
      const bool is_brought = bring(image, chunk, loading->file, loading->offset);
      genie_store_settle_slot(image, chunk, is_brought ? GENIE_STORE_SLOT_READY : GENIE_STORE_SLOT_MISSING);
    }
  }
}

// Hashing keeps a core busy: chunks are read on several threads, the caller's among them.
static void load_all(loading_t *loading) {
  const long cpu_count = sysconf(_SC_NPROCESSORS_ONLN);
  const uint32_t wanted = loading->image->chunk_count < kMostLoaders ? loading->image->chunk_count : kMostLoaders;
  pthread_t threads[kMostLoaders];
  uint32_t started = 0;
  while (started + 1 < wanted && (long)started + 1 < cpu_count &&
         pthread_create(&threads[started], NULL, load_chunks, loading) == 0) {
    ++started;
  }
  load_chunks(loading);
  for (uint32_t i = 0; i < started; ++i) {
    pthread_join(threads[i], NULL);
  }
}

genie_status_t genie_store_image_load(genie_store_image_t *image, const bool *needed, const genie_store_file_t *file) {
  loading_t loading = {.image = image, .needed = needed, .file = kNoFile};
  genie_status_t status = GENIE_OK;
  if (file != NULL && file->path != NULL && file->offset <= INT64_MAX / 2) {
    status = open_file(image->store, file->path, &loading.file);
    loading.offset = file->offset;
  }
  load_all(&loading);
  if (loading.file != kNoFile) {
    close(loading.file);
  }
  return status;
}
