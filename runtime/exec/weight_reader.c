#include "runtime/exec/weight_reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/plan/digest.h"

enum {
  kPieceBytes = 8 * 1024 * 1024,
  kMostThreads = 8,  // more do not make memory or a disk faster
};

typedef struct read_job {
  const genie_plan_t *plan;
  uint64_t offset;
  uint64_t size_bytes;
  uint8_t *destination;
  uint64_t piece_bytes;
  bool is_verified;  // pieces are the chunks of WEIGHT_CHUNKS
  atomic_uint_least64_t next_piece;
  atomic_bool has_failed;
} read_job_t;

static genie_status_t check_chunk(const genie_plan_t *plan, uint64_t chunk, const void *bytes, uint64_t size_bytes) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes, size_bytes, &digest));
  if (memcmp(&digest, &plan->weight_chunks[chunk], sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "the weights differ from their hash in chunk %llu (64 MiB each)",
                             (unsigned long long)chunk);
  }
  return GENIE_OK;
}

// What is checked is what was read, not the file read once more.
static genie_status_t read_piece(const read_job_t *job, uint64_t piece) {
  const uint64_t begin = piece * job->piece_bytes;
  const uint64_t left_bytes = job->size_bytes - begin;
  const uint64_t size_bytes = left_bytes < job->piece_bytes ? left_bytes : job->piece_bytes;
  GENIE_RETURN_IF_ERROR(genie_plan_read_weights(job->plan, job->offset + begin, size_bytes, job->destination + begin));
  return job->is_verified ? check_chunk(job->plan, piece, job->destination + begin, size_bytes) : GENIE_OK;
}

static genie_status_t read_pieces(read_job_t *job) {
  for (;;) {
    const uint64_t piece = atomic_fetch_add(&job->next_piece, 1);
    if (piece * job->piece_bytes >= job->size_bytes || atomic_load(&job->has_failed)) {
      return GENIE_OK;
    }
    const genie_status_t status = read_piece(job, piece);
    if (status != GENIE_OK) {
      atomic_store(&job->has_failed, true);
      return status;
    }
  }
}

static void *thread_main(void *argument) {
  return (void *)read_pieces(argument);
}

// Keeps the first failure.
static genie_status_t merge(genie_status_t first, genie_status_t second) {
  if (first == GENIE_OK) {
    return second;
  }
  genie_status_free(second);
  return first;
}

static genie_status_t run_job(read_job_t *job, uint32_t thread_count) {
  pthread_t threads[kMostThreads];
  uint32_t started_count = 0;
  const uint64_t piece_count = job->size_bytes / job->piece_bytes + 1;
  thread_count = thread_count > kMostThreads ? kMostThreads : thread_count;
  thread_count = thread_count > piece_count ? (uint32_t)piece_count : thread_count;
  // Where the system gives no thread, the others do its pieces.
  while (started_count + 1 < thread_count && pthread_create(&threads[started_count], NULL, thread_main, job) == 0) {
    ++started_count;
  }
  genie_status_t status = read_pieces(job);
  for (uint32_t i = 0; i < started_count; ++i) {
    void *result = NULL;
    pthread_join(threads[i], &result);
    status = merge(status, (genie_status_t)result);
  }
  return status;
}

genie_status_t genie_weight_reader_read(const genie_plan_t *plan, uint64_t offset, uint64_t size_bytes,
                                        void *destination, uint32_t thread_count) {
  read_job_t job = {
      .plan = plan, .offset = offset, .size_bytes = size_bytes, .destination = destination, .piece_bytes = kPieceBytes};
  return run_job(&job, thread_count);
}

genie_status_t genie_weight_reader_read_verified(const genie_plan_t *plan, void *destination, uint32_t thread_count) {
  read_job_t job = {.plan = plan,
                    .size_bytes = plan->weights_bytes,
                    .destination = destination,
                    .piece_bytes = GENIE_PLAN_WEIGHT_CHUNK_BYTES,
                    .is_verified = true};
  return run_job(&job, thread_count);
}
