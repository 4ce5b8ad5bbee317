#include "compiler/source_digest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/plan/digest.h"

enum { BLOCK_BYTES = 1 << 20 };

struct genie_source_digest {
  int path_count;
  const char *paths[GENIE_SOURCE_DIGEST_MAX_FILES];
  pthread_t thread;
  bool is_joined;
  atomic_bool is_abandoned;
  genie_plan_digest_t digest;
  genie_status_t status;  // the thread's, until it is taken
};

static genie_status_t add_file(genie_source_digest_t *self, const char *path, genie_plan_hasher_t *hasher,
                               void *block) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
  }
  genie_status_t status = GENIE_OK;
  while (status == GENIE_OK && !atomic_load(&self->is_abandoned)) {
    const ssize_t count = read(file, block, BLOCK_BYTES);
    if (count < 0 && errno != EINTR) {
      status = genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
    } else if (count == 0) {
      break;
    } else if (count > 0) {
      status = genie_plan_hasher_update(hasher, block, (uint64_t)count);
    }
  }
  close(file);
  return status;
}

static genie_status_t add_files(genie_source_digest_t *self, genie_plan_hasher_t *hasher) {
  void *block = malloc(BLOCK_BYTES);
  if (block == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory to read the model");
  }
  genie_status_t status = GENIE_OK;
  for (int i = 0; status == GENIE_OK && i < self->path_count; ++i) {
    status = add_file(self, self->paths[i], hasher, block);
  }
  free(block);
  return status == GENIE_OK ? genie_plan_hasher_finish(hasher, &self->digest) : status;
}

static void *run(void *argument) {
  genie_source_digest_t *self = argument;
  genie_plan_hasher_t hasher = {0};
  self->status = genie_plan_hasher_init(&hasher);
  if (self->status == GENIE_OK) {
    self->status = add_files(self, &hasher);
  }
  genie_plan_hasher_deinit(&hasher);
  return NULL;
}

genie_status_t genie_source_digest_start(int path_count, const char *const *paths, genie_source_digest_t **out_digest) {
  if (path_count > GENIE_SOURCE_DIGEST_MAX_FILES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "more than %d files", GENIE_SOURCE_DIGEST_MAX_FILES);
  }
  genie_source_digest_t *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for the model's digest");
  }
  self->path_count = path_count;
  memcpy(self->paths, paths, (size_t)path_count * sizeof(*paths));
  if (pthread_create(&self->thread, NULL, run, self) != 0) {
    free(self);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot start a thread for the model's digest");
  }
  *out_digest = self;
  return GENIE_OK;
}

static void join(genie_source_digest_t *self) {
  if (!self->is_joined) {
    pthread_join(self->thread, NULL);
    self->is_joined = true;
  }
}

genie_status_t genie_source_digest_wait(genie_source_digest_t *digest, char out_hex[65]) {
  join(digest);
  const genie_status_t status = digest->status;
  digest->status = GENIE_OK;
  for (size_t i = 0; status == GENIE_OK && i < sizeof(digest->digest.bytes); ++i) {
    snprintf(out_hex + 2 * i, 3, "%02x", digest->digest.bytes[i]);
  }
  return status;
}

void genie_source_digest_destroy(genie_source_digest_t *digest) {
  if (digest != NULL) {
    atomic_store(&digest->is_abandoned, true);
    join(digest);
    genie_status_free(digest->status);
    free(digest);
  }
}
