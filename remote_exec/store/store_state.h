// Inside of the store, shared by store.c, store_load.c and store_upload.c.
//
// One mutex guards every image's slots and the list of images; it is never held while bytes are read, hashed or
// written. A slot that is CLAIMED belongs to whoever claimed it, who alone touches its bytes, its hasher and its count.
#ifndef GENIE_REMOTE_EXEC_STORE_STORE_STATE_H_
#define GENIE_REMOTE_EXEC_STORE_STORE_STATE_H_

#include <pthread.h>

#include "remote_exec/store/chunk_cache.h"
#include "remote_exec/store/store.h"

typedef enum genie_store_slot_state {
  GENIE_STORE_SLOT_MISSING,
  GENIE_STORE_SLOT_CLAIMED,
  GENIE_STORE_SLOT_READY,
} genie_store_slot_state_t;

// A chunk of an image.
typedef struct genie_store_slot {
  genie_store_slot_state_t state;
  bool is_needed;              // by a session that has or had the image: its memory is reserved
  genie_plan_hasher_t hasher;  // of the bytes that have arrived; a zeroed one when there are none
  uint64_t received_bytes;
} genie_store_slot_t;

struct genie_store_image {
  genie_store_t *store;
  genie_store_image_t *next;
  genie_plan_digest_t *chunks;
  genie_store_slot_t *slots;
  uint32_t chunk_count;
  uint64_t size_bytes;    // of the range
  uint64_t needed_bytes;  // of the chunks in it that are needed
  uint8_t *memory;
  uint32_t user_count;  // sessions, and copies in progress out of it
  uint64_t last_used;
};

struct genie_store {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;
  pthread_cond_t changed;  // a slot became ready or missing
  genie_store_image_t *images;
  genie_chunk_cache_t *disk;  // or NULL
  bool is_disk_failing;       // its last write failed; warned about once
  int *shared_folders;        // open
  char **shared_paths;        // with a '/' at the end
  uint32_t shared_folder_count;
  uint64_t memory_limit_bytes, idle_limit_bytes;
  uint64_t used_bytes;
  uint64_t clock;
  genie_store_stats_t counts;  // those that only grow
  void (*warn)(void *warn_self, const char *message);
  void *warn_self;
};

// Bytes of chunk `chunk`, and where they are.
uint64_t genie_store_chunk_bytes(const genie_store_image_t *image, uint32_t chunk);
uint8_t *genie_store_chunk_memory(const genie_store_image_t *image, uint32_t chunk);

// Whether a session with these needs (NULL: all) needs the chunk.
static inline bool genie_store_needs(const bool *needed, uint32_t chunk) {
  return needed == NULL || needed[chunk];
}

// With the mutex: whether all that is needed is there.
bool genie_store_has_needed(const genie_store_image_t *image, const bool *needed);

// With the mutex: takes a missing slot that is needed, if it is one.
bool genie_store_take_slot(genie_store_image_t *image, uint32_t chunk);
// Without the mutex: gives a claimed slot back as ready or missing. A ready one forgets its hasher.
void genie_store_settle_slot(genie_store_image_t *image, uint32_t chunk, genie_store_slot_state_t state);

// Forgets what has arrived of a claimed slot.
void genie_store_reset_slot(genie_store_slot_t *slot);

// With the mutex: one session less; the image may go.
void genie_store_release_image(genie_store_image_t *image);

void genie_store_warn(genie_store_t *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Warns of a failing disk the first time, and takes `status`; OK ends the failing.
void genie_store_note_disk(genie_store_t *store, genie_status_t status);

#endif  // GENIE_REMOTE_EXEC_STORE_STORE_STATE_H_
