// The weights of a node: addressed by content, verified as they arrive, shared by sessions, kept on disk.
//
// WEIGHTS of a plan are chunks of 64 MiB, each named by its SHA-256. An *image* is the chunks of one plan in one range
// of memory, those that its sessions need: the places of a session use some weights, and the others neither travel nor
// take memory. Sessions of plans with the same weights share one image, whose chunks are read-only once they are there.
// A chunk comes from another image, from the disk cache, from a file that the node sees, or from a client's upload.
// Each is compared with its digest before anybody can read it.
//
// `needed` [chunk_count] says which chunks a session needs; NULL: all of them.
//
//     genie_store_image_open(store, chunks, chunk_count, weights_bytes, needed, &image);
//     genie_store_image_load(image, needed, NULL);             // all that is here already
//     for (;;) {
//       genie_store_claim(image, needed, timeout_ns, &upload); // NULL: all that is needed is there
//       ... ask the client for chunk upload->chunk from byte upload->received_bytes ...
//       while (upload->received_bytes < upload->size_bytes) {
//         ... receive `bytes` into genie_store_upload_space(upload) ...
//         genie_store_upload_advance(upload, bytes);
//       }
//       genie_store_upload_release(upload);                    // also after a cut: what has arrived is kept
//     }
//
// Threads: all functions are thread-safe, but an upload belongs to one thread. Sessions that want the same chunk wait
// for one upload. A cut upload resumes at the last byte that arrived, also after a restart of the node where there is a
// disk cache. A disk that is full or broken never fails a session: the store goes on in memory and says so.
#ifndef GENIE_REMOTE_EXEC_STORE_STORE_H_
#define GENIE_REMOTE_EXEC_STORE_STORE_H_

#include "runtime/base/allocator.h"
#include "runtime/plan/format.h"

typedef struct genie_store genie_store_t;
typedef struct genie_store_image genie_store_image_t;

// Zero-initialise, then set what differs from the default. Borrowed for the call, but for `warn_self`.
typedef struct genie_store_options {
  const char *folder;           // of the disk cache, made when it is missing; NULL: memory only
  uint64_t disk_limit_bytes;    // what the cache may take; the least recently used goes first
  uint64_t memory_limit_bytes;  // what all images may take; 0: no limit
  uint64_t idle_limit_bytes;    // of those, what images that no session uses may keep
  // Folders whose files a client may name; NULL-terminated list, NULL: none.
  const char *const *shared_folders;
  // Told, on any thread, one line about what went wrong and was survived. May be NULL.
  void (*warn)(void *warn_self, const char *message);
  void *warn_self;
} genie_store_options_t;

// FAILED_PRECONDITION: another process uses the folder. PERMISSION_DENIED, NOT_FOUND: the folder.
genie_status_t genie_store_create(const genie_store_options_t *options, genie_allocator_t allocator,
                                  genie_store_t **out_store) GENIE_MUST_USE;
// Accepts NULL. All images are closed before.
void genie_store_destroy(genie_store_t *store);

typedef struct genie_store_stats {
  uint64_t image_count, image_bytes;            // in memory: the chunks that sessions needed
  uint64_t idle_image_count, idle_image_bytes;  // of those, used by no session
  uint64_t disk_chunk_count, disk_bytes;        // partial ones included
  uint64_t memory_hits, disk_hits, file_hits;   // chunks found in another image, on disk, in a named file
  uint64_t uploaded_chunks, uploaded_bytes;     // verified; received
  uint64_t rejected_chunks;                     // uploads whose bytes were not what their digest says
  uint64_t corrupt_files, evicted_files;        // of the cache
  bool has_disk;                                // a folder that takes what is written
} genie_store_stats_t;

void genie_store_get_stats(genie_store_t *store, genie_store_stats_t *out_stats);

// ---- Images ----

// The image of `chunk_count` chunks that make `size_bytes` of WEIGHTS: one in memory, or a new one with nothing in it.
// INVALID_ARGUMENT: so many chunks do not make so many bytes. RESOURCE_EXHAUSTED: the store's limit, or memory.
genie_status_t genie_store_image_open(genie_store_t *store, const genie_plan_digest_t *chunks, uint32_t chunk_count,
                                      uint64_t size_bytes, const bool *needed,
                                      genie_store_image_t **out_image) GENIE_MUST_USE;
// Accepts NULL. Uploads of it are released before.
void genie_store_image_close(genie_store_image_t *image);

// A file with WEIGHTS in it.
typedef struct genie_store_file {
  const char *path;  // absolute, within a shared folder
  uint64_t offset;   // of WEIGHTS
} genie_store_file_t;

// Fills in what other images, the disk cache and `file` (which may be NULL) have; what they lack stays missing. Chunks
// that others are bringing are left to them. PERMISSION_DENIED, NOT_FOUND: the file; all else was tried before.
genie_status_t genie_store_image_load(genie_store_image_t *image, const bool *needed,
                                      const genie_store_file_t *file) GENIE_MUST_USE;

// Whether all that is needed is there.
bool genie_store_image_is_complete(genie_store_image_t *image, const bool *needed);

// The needed chunks that nobody has brought and nobody is bringing, ascending: how many, of which at most `capacity`
// are listed.
uint32_t genie_store_image_missing(genie_store_image_t *image, const bool *needed, uint32_t *out_chunks,
                                   uint32_t capacity);

// The weights, each at its offset; read-only. Chunks that are there may be read.
const void *genie_store_image_memory(const genie_store_image_t *image);

// Copies out, as genie_plan_weight_source_t.read has it. FAILED_PRECONDITION: a chunk is not there.
genie_status_t genie_store_image_read(void *image, uint64_t offset, uint64_t size_bytes,
                                      void *destination) GENIE_MUST_USE;

// ---- Uploads ----

// A chunk that its holder alone brings. Fields are read-only.
typedef struct genie_store_upload {
  genie_store_image_t *image;
  uint32_t chunk;
  uint64_t size_bytes;
  uint64_t received_bytes;  // at first: where to resume
} genie_store_upload_t;

// Claims the first needed chunk that is missing and that nobody brings. While others bring all that is missing, waits
// for them: DEADLINE_EXCEEDED after `timeout_ns`. Gives NULL when all that is needed is there.
genie_status_t genie_store_claim(genie_store_image_t *image, const bool *needed, uint64_t timeout_ns,
                                 genie_store_upload_t **out_upload) GENIE_MUST_USE;

// Claims this chunk, which some session needs, without waiting. Gives NULL when it is there already. UNAVAILABLE:
// another brings it. OUT_OF_RANGE: there is no such chunk, or nobody needs it.
genie_status_t genie_store_claim_chunk(genie_store_image_t *image, uint32_t chunk,
                                       genie_store_upload_t **out_upload) GENIE_MUST_USE;

// Where the next bytes go; there is room for size_bytes - received_bytes.
void *genie_store_upload_space(const genie_store_upload_t *upload);

// Takes in the next `size_bytes`, which were written to the space. With the last of them the chunk is compared with its
// digest: DATA_LOSS, and all of it is forgotten. OUT_OF_RANGE: more than there is room for. Pieces of about 1 MiB keep
// the hash in step with the network.
genie_status_t genie_store_upload_advance(genie_store_upload_t *upload, uint64_t size_bytes) GENIE_MUST_USE;

// Ends the claim; accepts NULL. An incomplete chunk is missing again and keeps what has arrived.
void genie_store_upload_release(genie_store_upload_t *upload);

#endif  // GENIE_REMOTE_EXEC_STORE_STORE_H_
