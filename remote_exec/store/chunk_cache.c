#include "remote_exec/store/chunk_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kDigestHexBytes = 64, kNameBytes = kDigestHexBytes + sizeof(".part"), kPieceBytes = 1 << 20 };

// A file of the folder.
typedef struct entry {
  genie_plan_digest_t digest;
  uint64_t size_bytes;  // of a part that is being written: what the whole will take
  uint64_t last_used;   // a count, larger is later
  uint32_t user_count;  // readers and writers: not to be evicted
  bool is_part;
} entry_t;

struct genie_chunk_cache {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;  // of all below
  int folder;
  int lock;
  uint64_t limit_bytes;
  uint64_t used_bytes;
  uint64_t clock;
  entry_t *entries;
  size_t entry_count, entry_capacity;
  uint64_t corrupt_files, evicted_files;
};

struct genie_chunk_writer {
  genie_chunk_cache_t *cache;
  genie_plan_digest_t digest;
  int file;
};

// ---- Names ----

static void name_chunk(const genie_plan_digest_t *digest, bool is_part, char out_name[kNameBytes]) {
  for (size_t i = 0; i < sizeof(digest->bytes); ++i) {
    snprintf(out_name + 2 * i, 3, "%02x", digest->bytes[i]);
  }
  strcpy(out_name + kDigestHexBytes, is_part ? ".part" : "");
}

static bool read_name(const char *name, genie_plan_digest_t *out_digest, bool *out_is_part) {
  static const char kDigits[] = "0123456789abcdef";
  if (strlen(name) < kDigestHexBytes) {
    return false;
  }
  for (size_t i = 0; i < sizeof(out_digest->bytes); ++i) {
    const char *high = memchr(kDigits, name[2 * i], 16), *low = memchr(kDigits, name[2 * i + 1], 16);
    if (high == NULL || low == NULL) {
      return false;
    }
    out_digest->bytes[i] = (uint8_t)((high - kDigits) << 4 | (low - kDigits));
  }
  *out_is_part = strcmp(name + kDigestHexBytes, ".part") == 0;
  return *out_is_part || name[kDigestHexBytes] == '\0';
}

// ---- The list of files, under the mutex ----

static entry_t *find_entry(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest) {
  for (size_t i = 0; i < cache->entry_count; ++i) {
    if (memcmp(&cache->entries[i].digest, digest, sizeof(*digest)) == 0) {
      return &cache->entries[i];
    }
  }
  return NULL;
}

static void remove_entry(genie_chunk_cache_t *cache, entry_t *entry) {
  char name[kNameBytes];
  name_chunk(&entry->digest, entry->is_part, name);
  (void)unlinkat(cache->folder, name, 0);
  cache->used_bytes -= entry->size_bytes;
  *entry = cache->entries[--cache->entry_count];
}

static genie_status_t add_entry(genie_chunk_cache_t *cache, const entry_t *entry) {
  if (cache->entry_count == cache->entry_capacity) {
    const size_t capacity = cache->entry_capacity == 0 ? 64 : 2 * cache->entry_capacity;
    void *grown = NULL;
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(cache->allocator, capacity, sizeof(entry_t), &grown));
    if (cache->entry_count > 0) {
      memcpy(grown, cache->entries, cache->entry_count * sizeof(entry_t));
    }
    genie_allocator_free(cache->allocator, cache->entries);
    cache->entries = grown;
    cache->entry_capacity = capacity;
  }
  cache->entries[cache->entry_count++] = *entry;
  cache->used_bytes += entry->size_bytes;
  return GENIE_OK;
}

// Parts go before whole chunks, older before newer.
static bool goes_before(const entry_t *a, const entry_t *b) {
  return a->is_part != b->is_part ? a->is_part : a->last_used < b->last_used;
}

static genie_status_t make_room(genie_chunk_cache_t *cache, uint64_t size_bytes) {
  while (size_bytes > cache->limit_bytes || cache->used_bytes > cache->limit_bytes - size_bytes) {
    entry_t *victim = NULL;
    for (size_t i = 0; i < cache->entry_count; ++i) {
      entry_t *entry = &cache->entries[i];
      if (entry->user_count == 0 && (victim == NULL || goes_before(entry, victim))) {
        victim = entry;
      }
    }
    if (victim == NULL || size_bytes > cache->limit_bytes) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the disk cache of weights may take %llu bytes",
                               (unsigned long long)cache->limit_bytes);
    }
    remove_entry(cache, victim);
    cache->evicted_files += 1;
  }
  return GENIE_OK;
}

// ---- Creation ----

static genie_status_t folder_error(const char *folder, int error) {
  const genie_status_code_t code = error == EACCES || error == EPERM || error == EROFS ? GENIE_STATUS_PERMISSION_DENIED
                                   : error == ENOSPC || error == EDQUOT || error == EMFILE
                                       ? GENIE_STATUS_RESOURCE_EXHAUSTED
                                   : error == EWOULDBLOCK ? GENIE_STATUS_FAILED_PRECONDITION
                                                          : GENIE_STATUS_NOT_FOUND;
  return genie_status_make(code, "cannot keep weights in %s: %s", folder,
                           error == EWOULDBLOCK ? "another process does" : strerror(error));
}

// A file's time of modification is when it was last used.
static genie_status_t list_file(genie_chunk_cache_t *cache, const char *name) {
  struct stat info;
  entry_t entry = {0};
  if (!read_name(name, &entry.digest, &entry.is_part) ||
      fstatat(cache->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
    return GENIE_OK;
  }
  if (find_entry(cache, &entry.digest) != NULL) {
    (void)unlinkat(cache->folder, name, 0);
    return GENIE_OK;
  }
  entry.size_bytes = (uint64_t)info.st_size;
  entry.last_used = (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec;
  cache->clock = entry.last_used > cache->clock ? entry.last_used : cache->clock;
  return add_entry(cache, &entry);
}

static genie_status_t list_folder(genie_chunk_cache_t *cache, const char *folder) {
  const int listed = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = listed < 0 ? NULL : fdopendir(listed);
  if (stream == NULL) {
    return folder_error(folder, errno);
  }
  genie_status_t status = GENIE_OK;
  for (const struct dirent *file = readdir(stream); file != NULL && status == GENIE_OK; file = readdir(stream)) {
    status = list_file(cache, file->d_name);
  }
  closedir(stream);
  return status;
}

static genie_status_t open_folder(genie_chunk_cache_t *cache, const char *folder) {
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
    return folder_error(folder, errno);
  }
  cache->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cache->folder < 0) {
    return folder_error(folder, errno);
  }
  cache->lock = openat(cache->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (cache->lock < 0 || flock(cache->lock, LOCK_EX | LOCK_NB) != 0) {
    return folder_error(folder, errno);
  }
  GENIE_RETURN_IF_ERROR(list_folder(cache, folder));
  return make_room(cache, 0);
}

genie_status_t genie_chunk_cache_create(const char *folder, uint64_t limit_bytes, genie_allocator_t allocator,
                                        genie_chunk_cache_t **out_cache) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_chunk_cache_t), &memory));
  genie_chunk_cache_t *cache = memory;
  *cache = (genie_chunk_cache_t){.allocator = allocator, .folder = -1, .lock = -1, .limit_bytes = limit_bytes};
  pthread_mutex_init(&cache->mutex, NULL);
  const genie_status_t status = open_folder(cache, folder);
  if (status != GENIE_OK) {
    genie_chunk_cache_destroy(cache);
    return status;
  }
  *out_cache = cache;
  return GENIE_OK;
}

void genie_chunk_cache_destroy(genie_chunk_cache_t *cache) {
  if (cache == NULL) {
    return;
  }
  if (cache->folder >= 0) {
    close(cache->folder);
  }
  if (cache->lock >= 0) {
    close(cache->lock);
  }
  pthread_mutex_destroy(&cache->mutex);
  genie_allocator_free(cache->allocator, cache->entries);
  genie_allocator_free(cache->allocator, cache);
}

void genie_chunk_cache_get_stats(genie_chunk_cache_t *cache, genie_chunk_cache_stats_t *out_stats) {
  pthread_mutex_lock(&cache->mutex);
  *out_stats = (genie_chunk_cache_stats_t){.chunk_count = cache->entry_count,
                                           .size_bytes = cache->used_bytes,
                                           .corrupt_files = cache->corrupt_files,
                                           .evicted_files = cache->evicted_files};
  pthread_mutex_unlock(&cache->mutex);
}

// ---- Reading ----

// Opens the digest's file, whole or part as asked, and keeps it from eviction; -1 when there is none.
static int begin_use(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, bool is_part) {
  char name[kNameBytes];
  int file = -1;
  name_chunk(digest, is_part, name);
  pthread_mutex_lock(&cache->mutex);
  entry_t *entry = find_entry(cache, digest);
  if (entry != NULL && entry->is_part == is_part) {
    file = openat(cache->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file >= 0) {
      entry->user_count += 1;
      entry->last_used = ++cache->clock;
    } else if (entry->user_count == 0) {
      remove_entry(cache, entry);
    }
  }
  pthread_mutex_unlock(&cache->mutex);
  return file;
}

static void end_use(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, bool is_damaged) {
  pthread_mutex_lock(&cache->mutex);
  entry_t *entry = find_entry(cache, digest);
  if (entry != NULL) {
    entry->user_count -= entry->user_count > 0;
    if (is_damaged && entry->user_count == 0) {
      remove_entry(cache, entry);
    }
    cache->corrupt_files += is_damaged;
  }
  pthread_mutex_unlock(&cache->mutex);
}

// Reads and hashes up to `size_bytes`; the count is smaller at the file's end or a read error.
static genie_status_t read_hashed(int file, uint64_t size_bytes, void *destination, genie_plan_hasher_t *hasher,
                                  uint64_t *out_bytes) {
  uint64_t done = 0;
  while (done < size_bytes) {
    const uint64_t wanted = size_bytes - done < kPieceBytes ? size_bytes - done : kPieceBytes;
    const ssize_t got = pread(file, (char *)destination + done, wanted, (off_t)done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    GENIE_RETURN_IF_ERROR(genie_plan_hasher_update(hasher, (char *)destination + done, (uint64_t)got));
    done += (uint64_t)got;
  }
  *out_bytes = done;
  return GENIE_OK;
}

static genie_status_t read_verified(int file, const genie_plan_digest_t *digest, uint64_t size_bytes,
                                    void *destination) {
  struct stat info;
  genie_plan_hasher_t hasher;
  genie_plan_digest_t found;
  uint64_t read_bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_init(&hasher));
  genie_status_t status = read_hashed(file, size_bytes, destination, &hasher, &read_bytes);
  if (status == GENIE_OK) {
    status = genie_plan_hasher_finish(&hasher, &found);
  }
  genie_plan_hasher_deinit(&hasher);
  GENIE_RETURN_IF_ERROR(status);
  const bool is_right = read_bytes == size_bytes && fstat(file, &info) == 0 && (uint64_t)info.st_size == size_bytes &&
                        memcmp(&found, digest, sizeof(found)) == 0;
  return is_right ? GENIE_OK
                  : genie_status_make(GENIE_STATUS_DATA_LOSS, "a file of the weight cache is damaged; it is deleted");
}

genie_status_t genie_chunk_cache_read(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest,
                                      uint64_t size_bytes, void *destination) {
  const int file = begin_use(cache, digest, /*is_part=*/false);
  if (file < 0) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "the weight cache has no such chunk");
  }
  const genie_status_t status = read_verified(file, digest, size_bytes, destination);
  (void)futimens(file, NULL);
  close(file);
  end_use(cache, digest, genie_status_code(status) == GENIE_STATUS_DATA_LOSS);
  return status;
}

uint64_t genie_chunk_cache_read_part(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, uint64_t size_bytes,
                                     void *destination, genie_plan_hasher_t *hasher) {
  const int file = begin_use(cache, digest, /*is_part=*/true);
  uint64_t read_bytes = 0;
  if (file < 0) {
    return 0;
  }
  const genie_status_t status = read_hashed(file, size_bytes - 1, destination, hasher, &read_bytes);
  close(file);
  end_use(cache, digest, /*is_damaged=*/false);
  genie_status_free(status);
  return status == GENIE_OK ? read_bytes : 0;
}

// ---- Writing ----

static genie_status_t write_all(int file, const void *bytes, uint64_t size_bytes) {
  const char *cursor = bytes;
  while (size_bytes > 0) {
    const ssize_t written = write(file, cursor, size_bytes);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot write to the weight cache: %s",
                               strerror(written < 0 ? errno : ENOSPC));
    }
    cursor += written;
    size_bytes -= (uint64_t)written;
  }
  return GENIE_OK;
}

// Under the mutex: the entry that a writer of this digest fills.
static genie_status_t reserve(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, uint64_t size_bytes) {
  entry_t *entry = find_entry(cache, digest);
  if (entry != NULL) {
    remove_entry(cache, entry);
  }
  GENIE_RETURN_IF_ERROR(make_room(cache, size_bytes));
  return add_entry(
      cache,
      &(entry_t){
          .digest = *digest, .size_bytes = size_bytes, .last_used = ++cache->clock, .user_count = 1, .is_part = true});
}

static genie_status_t open_part(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, const void *prefix,
                                uint64_t offset, int *out_file) {
  char name[kNameBytes];
  name_chunk(digest, /*is_part=*/true, name);
  *out_file = openat(cache->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  return *out_file < 0 ? genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot write to the weight cache: %s",
                                           strerror(errno))
                       : write_all(*out_file, prefix, offset);
}

genie_status_t genie_chunk_writer_open(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest,
                                       uint64_t size_bytes, const void *prefix, uint64_t offset,
                                       genie_chunk_writer_t **out_writer) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(cache->allocator, 1, sizeof(genie_chunk_writer_t), &memory));
  genie_chunk_writer_t *writer = memory;
  *writer = (genie_chunk_writer_t){.cache = cache, .digest = *digest, .file = -1};
  pthread_mutex_lock(&cache->mutex);
  genie_status_t status = reserve(cache, digest, size_bytes);
  pthread_mutex_unlock(&cache->mutex);
  if (status != GENIE_OK) {
    genie_allocator_free(cache->allocator, writer);
    return status;
  }
  status = open_part(cache, digest, prefix, offset, &writer->file);
  if (status != GENIE_OK) {
    genie_chunk_writer_close(writer, GENIE_CHUNK_WRITER_DROP);
    return status;
  }
  *out_writer = writer;
  return GENIE_OK;
}

genie_status_t genie_chunk_writer_append(genie_chunk_writer_t *writer, const void *bytes, uint64_t size_bytes) {
  return write_all(writer->file, bytes, size_bytes);
}

static bool rename_whole(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest) {
  char part[kNameBytes], whole[kNameBytes];
  name_chunk(digest, /*is_part=*/true, part);
  name_chunk(digest, /*is_part=*/false, whole);
  return renameat(cache->folder, part, cache->folder, whole) == 0;
}

void genie_chunk_writer_close(genie_chunk_writer_t *writer, genie_chunk_writer_end_t end) {
  if (writer == NULL) {
    return;
  }
  genie_chunk_cache_t *cache = writer->cache;
  const bool is_closed = writer->file < 0 || close(writer->file) == 0;
  pthread_mutex_lock(&cache->mutex);
  entry_t *entry = find_entry(cache, &writer->digest);
  if (entry != NULL) {
    entry->user_count = 0;
    if (end == GENIE_CHUNK_WRITER_COMMIT && is_closed && rename_whole(cache, &writer->digest)) {
      entry->is_part = false;
    } else if (end != GENIE_CHUNK_WRITER_KEEP) {
      remove_entry(cache, entry);
    }
  }
  pthread_mutex_unlock(&cache->mutex);
  genie_allocator_free(cache->allocator, writer);
}
