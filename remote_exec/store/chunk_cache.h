// The disk tier of the store: a folder of files named by the SHA-256 of what is in them, the least recently used of
// which goes when there are too many.
//
// A file appears under its name when it is whole; until then it has ".part" at its end and survives a restart. Nothing
// is synced to the disk: what a crash damages does not fit its name, is found when it is read, and deleted.
// Thread-safe; each writer and each digest belongs to one thread at a time, as the store's claims see to.
#ifndef GENIE_REMOTE_EXEC_STORE_CHUNK_CACHE_H_
#define GENIE_REMOTE_EXEC_STORE_CHUNK_CACHE_H_

#include "runtime/base/allocator.h"
#include "runtime/plan/digest.h"

typedef struct genie_chunk_cache genie_chunk_cache_t;
typedef struct genie_chunk_writer genie_chunk_writer_t;

typedef struct genie_chunk_cache_stats {
  uint64_t chunk_count, size_bytes;
  uint64_t corrupt_files, evicted_files;
} genie_chunk_cache_stats_t;

// Makes the folder when it is missing, locks it and lists it. FAILED_PRECONDITION: another process has the lock.
// PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED: the folder.
genie_status_t genie_chunk_cache_create(const char *folder, uint64_t limit_bytes, genie_allocator_t allocator,
                                        genie_chunk_cache_t **out_cache) GENIE_MUST_USE;
// Accepts NULL. All writers are closed before.
void genie_chunk_cache_destroy(genie_chunk_cache_t *cache);

void genie_chunk_cache_get_stats(genie_chunk_cache_t *cache, genie_chunk_cache_stats_t *out_stats);

// Reads a whole chunk and compares it with its digest. NOT_FOUND: there is none. DATA_LOSS: it was damaged, and is
// deleted.
genie_status_t genie_chunk_cache_read(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest,
                                      uint64_t size_bytes, void *destination) GENIE_MUST_USE;

// Reads what a cut upload left, fewer than `size_bytes`, and updates `hasher` with it; 0 when there is nothing.
uint64_t genie_chunk_cache_read_part(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest, uint64_t size_bytes,
                                     void *destination, genie_plan_hasher_t *hasher);

// Makes room for `size_bytes` and opens the chunk's partial file, cut or filled to `offset` bytes by `prefix`.
// RESOURCE_EXHAUSTED: the limit or the disk.
genie_status_t genie_chunk_writer_open(genie_chunk_cache_t *cache, const genie_plan_digest_t *digest,
                                       uint64_t size_bytes, const void *prefix, uint64_t offset,
                                       genie_chunk_writer_t **out_writer) GENIE_MUST_USE;
// RESOURCE_EXHAUSTED: the disk is full.
genie_status_t genie_chunk_writer_append(genie_chunk_writer_t *writer, const void *bytes,
                                         uint64_t size_bytes) GENIE_MUST_USE;

typedef enum genie_chunk_writer_end {
  GENIE_CHUNK_WRITER_COMMIT,  // all bytes are there and verified
  GENIE_CHUNK_WRITER_KEEP,    // the part stays for a later writer
  GENIE_CHUNK_WRITER_DROP,    // the part goes
} genie_chunk_writer_end_t;

// Accepts NULL. A commit that the disk refuses drops the file.
void genie_chunk_writer_close(genie_chunk_writer_t *writer, genie_chunk_writer_end_t end);

#endif  // GENIE_REMOTE_EXEC_STORE_CHUNK_CACHE_H_
