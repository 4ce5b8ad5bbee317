// Uploads: who brings which chunk, and what has arrived of it.
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "remote_exec/store/store_state.h"

typedef struct upload {
  genie_store_upload_t base;
  genie_chunk_writer_t *writer;  // NULL: memory only
  bool is_settled;               // the slot was given back
} upload_t;

static genie_store_slot_t *slot_of(const upload_t *upload) {
  return &upload->base.image->slots[upload->base.chunk];
}

// ---- Claims ----

// The slot is claimed. What a cut upload left is in memory or, after a restart, on disk.
static genie_status_t begin_upload(genie_store_image_t *image, uint32_t chunk, genie_store_upload_t **out_upload) {
  genie_store_t *store = image->store;
  genie_store_slot_t *slot = &image->slots[chunk];
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(store->allocator, 1, sizeof(upload_t), &memory));
  upload_t *upload = memory;
  const uint64_t size_bytes = genie_store_chunk_bytes(image, chunk);
  uint8_t *address = genie_store_chunk_memory(image, chunk);
  *upload = (upload_t){.base = {.image = image, .chunk = chunk, .size_bytes = size_bytes}};
  if (slot->hasher.state == NULL) {
    const genie_status_t status = genie_plan_hasher_init(&slot->hasher);
    if (status != GENIE_OK) {
      genie_allocator_free(store->allocator, upload);
      return status;
    }
    if (store->disk != NULL) {
      slot->received_bytes =
          genie_chunk_cache_read_part(store->disk, &image->chunks[chunk], size_bytes, address, &slot->hasher);
    }
  }
  upload->base.received_bytes = slot->received_bytes;
  if (store->disk != NULL) {
    const genie_status_t opened = genie_chunk_writer_open(store->disk, &image->chunks[chunk], size_bytes, address,
                                                          slot->received_bytes, &upload->writer);
    if (opened != GENIE_OK) {
      genie_store_note_disk(store, opened);
    }
  }
  *out_upload = &upload->base;
  return GENIE_OK;
}

static genie_status_t begin_claimed(genie_store_image_t *image, uint32_t chunk, genie_store_upload_t **out_upload) {
  const genie_status_t status = begin_upload(image, chunk, out_upload);
  if (status != GENIE_OK) {
    genie_store_settle_slot(image, chunk, GENIE_STORE_SLOT_MISSING);
  }
  return status;
}

static struct timespec deadline_after(uint64_t timeout_ns) {
  static const uint64_t kSecond = 1000000000u;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t seconds = timeout_ns / kSecond > INT32_MAX ? INT32_MAX : timeout_ns / kSecond;
  const uint64_t nanoseconds = (uint64_t)now.tv_nsec + timeout_ns % kSecond;
  return (struct timespec){.tv_sec = now.tv_sec + (time_t)(seconds + nanoseconds / kSecond),
                           .tv_nsec = (long)(nanoseconds % kSecond)};
}

// With the mutex: takes the first missing chunk. False: others bring all that is missing, or nothing is.
static bool take_first(genie_store_image_t *image, const bool *needed, uint32_t *out_chunk) {
  for (uint32_t i = 0; i < image->chunk_count; ++i) {
    if (genie_store_needs(needed, i) && genie_store_take_slot(image, i)) {
      *out_chunk = i;
      return true;
    }
  }
  return false;
}

genie_status_t genie_store_claim(genie_store_image_t *image, const bool *needed, uint64_t timeout_ns,
                                 genie_store_upload_t **out_upload) {
  genie_store_t *store = image->store;
  const struct timespec deadline = deadline_after(timeout_ns);
  uint32_t chunk = 0;
  bool is_taken = false, is_late = false;
  pthread_mutex_lock(&store->mutex);
  while (!genie_store_has_needed(image, needed) && !is_late) {
    is_taken = take_first(image, needed, &chunk);
    if (is_taken) {
      break;
    }
    is_late = pthread_cond_timedwait(&store->changed, &store->mutex, &deadline) == ETIMEDOUT;
  }
  const bool is_complete = genie_store_has_needed(image, needed);
  pthread_mutex_unlock(&store->mutex);
  *out_upload = NULL;
  if (is_taken) {
    return begin_claimed(image, chunk, out_upload);
  }
  return is_complete ? GENIE_OK
                     : genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED,
                                         "another client has not brought the same weights in time");
}

genie_status_t genie_store_claim_chunk(genie_store_image_t *image, uint32_t chunk, genie_store_upload_t **out_upload) {
  *out_upload = NULL;
  if (chunk >= image->chunk_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "the plan has %u weight chunks, not %u", image->chunk_count,
                             chunk + 1);
  }
  pthread_mutex_lock(&image->store->mutex);
  const bool is_taken = genie_store_take_slot(image, chunk);
  const bool is_ready = image->slots[chunk].state == GENIE_STORE_SLOT_READY;
  const bool is_needed = image->slots[chunk].is_needed;
  pthread_mutex_unlock(&image->store->mutex);
  if (!is_needed) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "no place here needs weight chunk %u", chunk);
  }
  if (is_taken) {
    return begin_claimed(image, chunk, out_upload);
  }
  return is_ready ? GENIE_OK
                  : genie_status_make(GENIE_STATUS_UNAVAILABLE, "another client is bringing weight chunk %u", chunk);
}

// ---- Bytes ----

void *genie_store_upload_space(const genie_store_upload_t *upload) {
  return genie_store_chunk_memory(upload->image, upload->chunk) + upload->received_bytes;
}

static void write_to_disk(upload_t *upload, const void *bytes, uint64_t size_bytes) {
  if (upload->writer == NULL) {
    return;
  }
  const genie_status_t status = genie_chunk_writer_append(upload->writer, bytes, size_bytes);
  if (status != GENIE_OK) {
    genie_chunk_writer_close(upload->writer, GENIE_CHUNK_WRITER_DROP);
    upload->writer = NULL;
    genie_store_note_disk(upload->base.image->store, status);
  }
}

static void count_upload(genie_store_t *store, bool is_right) {
  pthread_mutex_lock(&store->mutex);
  store->counts.uploaded_chunks += is_right;
  store->counts.rejected_chunks += !is_right;
  pthread_mutex_unlock(&store->mutex);
}

// All bytes are there: the chunk is ready, or all of it is forgotten.
static genie_status_t complete(upload_t *upload) {
  genie_store_image_t *image = upload->base.image;
  genie_store_slot_t *slot = slot_of(upload);
  genie_plan_digest_t found;
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_finish(&slot->hasher, &found));
  const bool is_right = memcmp(&found, &image->chunks[upload->base.chunk], sizeof(found)) == 0;
  if (upload->writer != NULL) {
    genie_chunk_writer_close(upload->writer, is_right ? GENIE_CHUNK_WRITER_COMMIT : GENIE_CHUNK_WRITER_DROP);
    upload->writer = NULL;
    genie_store_note_disk(image->store, GENIE_OK);
  }
  upload->is_settled = true;
  genie_store_reset_slot(slot);
  count_upload(image->store, is_right);
  genie_store_settle_slot(image, upload->base.chunk, is_right ? GENIE_STORE_SLOT_READY : GENIE_STORE_SLOT_MISSING);
  return is_right ? GENIE_OK
                  : genie_status_make(GENIE_STATUS_DATA_LOSS, "weight chunk %u is not what its digest says",
                                      upload->base.chunk);
}

genie_status_t genie_store_upload_advance(genie_store_upload_t *base, uint64_t size_bytes) {
  upload_t *upload = (upload_t *)((char *)base - offsetof(upload_t, base));
  genie_store_slot_t *slot = slot_of(upload);
  if (upload->is_settled || size_bytes > base->size_bytes - base->received_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "weight chunk %u has only %llu bytes", base->chunk,
                             (unsigned long long)base->size_bytes);
  }
  const void *bytes = genie_store_upload_space(base);
  GENIE_RETURN_IF_ERROR(genie_plan_hasher_update(&slot->hasher, bytes, size_bytes));
  write_to_disk(upload, bytes, size_bytes);
  base->received_bytes += size_bytes;
  slot->received_bytes = base->received_bytes;
  pthread_mutex_lock(&base->image->store->mutex);
  base->image->store->counts.uploaded_bytes += size_bytes;
  pthread_mutex_unlock(&base->image->store->mutex);
  return base->received_bytes == base->size_bytes ? complete(upload) : GENIE_OK;
}

void genie_store_upload_release(genie_store_upload_t *base) {
  if (base == NULL) {
    return;
  }
  upload_t *upload = (upload_t *)((char *)base - offsetof(upload_t, base));
  genie_chunk_writer_close(upload->writer, GENIE_CHUNK_WRITER_KEEP);
  if (!upload->is_settled) {
    genie_store_settle_slot(base->image, base->chunk, GENIE_STORE_SLOT_MISSING);
  }
  genie_allocator_free(base->image->store->allocator, upload);
}
