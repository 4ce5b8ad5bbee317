// The store of weights: nothing unverified is ever given out, nothing travels twice, and no fault of the disk, the
// network or a client does more than cost an upload.
#include "remote_exec/store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/plan/digest.h"

#include <cmocka.h>

enum { kSmallBytes = 3 << 20, kPieceBytes = 1 << 20, kChunkBytes = GENIE_PLAN_WEIGHT_CHUNK_BYTES };
static const uint64_t kLongNs = 5000000000u;
static const uint64_t kShortNs = 1000000u;

#define OK(expression) assert_string_equal(genie_status_message(expression), genie_status_message(GENIE_OK))

static char folder[64];
static int warning_count;

static void count_warning(void *self, const char *message) {
  (void)self;
  (void)message;
  ++warning_count;
}

static void clear_folder(const char *path) {
  DIR *stream = opendir(path);
  for (const struct dirent *file = stream == NULL ? NULL : readdir(stream); file != NULL; file = readdir(stream)) {
    unlinkat(dirfd(stream), file->d_name, 0);
  }
  if (stream != NULL) {
    closedir(stream);
  }
}

static int set_up(void **state) {
  (void)state;
  strcpy(folder, "/tmp/genie-store-XXXXXX");
  warning_count = 0;
  return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) {
  (void)state;
  clear_folder(folder);
  return rmdir(folder);
}

static genie_store_t *make_store(const genie_store_options_t *given) {
  genie_store_options_t options = *given;
  genie_store_t *store = NULL;
  options.warn = count_warning;
  OK(genie_store_create(&options, genie_allocator_heap(), &store));
  return store;
}

static genie_store_t *make_disk_store(uint64_t limit_bytes) {
  return make_store(&(genie_store_options_t){.folder = folder, .disk_limit_bytes = limit_bytes});
}

// Weights of one small chunk, different for each seed.
typedef struct weights {
  uint8_t bytes[kSmallBytes];
  genie_plan_digest_t digest;
} weights_t;

static weights_t *make_weights(uint32_t seed) {
  weights_t *weights = malloc(sizeof(*weights));
  for (size_t i = 0; i < kSmallBytes; ++i) {
    weights->bytes[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
  }
  OK(genie_plan_digest_of(weights->bytes, kSmallBytes, &weights->digest));
  return weights;
}

static genie_store_image_t *open_image(genie_store_t *store, const weights_t *weights) {
  genie_store_image_t *image = NULL;
  OK(genie_store_image_open(store, &weights->digest, 1, kSmallBytes, NULL, &image));
  OK(genie_store_image_load(image, NULL, NULL));
  return image;
}

static genie_store_upload_t *claim(genie_store_image_t *image) {
  genie_store_upload_t *upload = NULL;
  OK(genie_store_claim(image, NULL, kLongNs, &upload));
  return upload;
}

static genie_status_t send_piece(genie_store_upload_t *upload, const uint8_t *bytes, uint64_t size_bytes) {
  memcpy(genie_store_upload_space(upload), bytes + upload->received_bytes, size_bytes);
  return genie_store_upload_advance(upload, size_bytes);
}

// Brings what the image lacks.
static void upload_all(genie_store_image_t *image, const weights_t *weights) {
  genie_store_upload_t *upload = claim(image);
  while (upload->received_bytes < upload->size_bytes) {
    OK(send_piece(upload, weights->bytes, kPieceBytes));
  }
  genie_store_upload_release(upload);
}

static void assert_holds(genie_store_image_t *image, const weights_t *weights) {
  assert_true(genie_store_image_is_complete(image, NULL));
  assert_memory_equal(genie_store_image_memory(image), weights->bytes, kSmallBytes);
}

static genie_store_stats_t stats_of(genie_store_t *store) {
  genie_store_stats_t stats;
  genie_store_get_stats(store, &stats);
  return stats;
}

// ---- Uploads ----

static void uploaded_weights_are_shared_and_read(void **state) {
  (void)state;
  genie_store_t *store = make_store(&(genie_store_options_t){0});
  weights_t *weights = make_weights(1);
  uint8_t byte = 0;
  genie_store_image_t *first = open_image(store, weights), *second = open_image(store, weights);
  assert_ptr_equal(first, second);
  assert_int_equal(genie_store_image_missing(first, NULL, NULL, 0), 1);
  genie_status_t status = genie_store_image_read(first, 0, 1, &byte);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  genie_status_free(status);
  upload_all(first, weights);
  assert_null(claim(second));
  assert_holds(second, weights);
  OK(genie_store_image_read(second, kSmallBytes - 1, 1, &byte));
  assert_int_equal(byte, weights->bytes[kSmallBytes - 1]);
  status = genie_store_image_read(second, kSmallBytes, 1, &byte);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  genie_store_image_close(first);
  genie_store_image_close(second);
  assert_int_equal(stats_of(store).image_count, 0);
  genie_store_destroy(store);
  free(weights);
}

static void wrong_bytes_are_refused_and_forgotten(void **state) {
  (void)state;
  genie_store_t *store = make_disk_store(UINT64_MAX / 2);
  weights_t *weights = make_weights(1), *others = make_weights(2);
  genie_store_image_t *image = open_image(store, weights);
  genie_store_upload_t *upload = claim(image);
  const genie_status_t status = send_piece(upload, others->bytes, kSmallBytes);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_DATA_LOSS);
  genie_status_free(status);
  genie_store_upload_release(upload);
  assert_false(genie_store_image_is_complete(image, NULL));
  assert_int_equal(stats_of(store).disk_chunk_count, 0);
  upload = claim(image);
  assert_int_equal(upload->received_bytes, 0);
  genie_store_upload_release(upload);
  upload_all(image, weights);
  assert_holds(image, weights);
  assert_int_equal(stats_of(store).rejected_chunks, 1);
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
  free(others);
}

static void more_bytes_than_a_chunk_has_are_refused(void **state) {
  (void)state;
  genie_store_t *store = make_store(&(genie_store_options_t){0});
  weights_t *weights = make_weights(1);
  genie_store_image_t *image = open_image(store, weights);
  genie_store_upload_t *upload = claim(image);
  genie_status_t status = genie_store_upload_advance(upload, kSmallBytes + 1);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  OK(send_piece(upload, weights->bytes, kSmallBytes));
  status = genie_store_upload_advance(upload, 1);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  genie_store_upload_release(upload);
  status = genie_store_claim_chunk(image, 1, &upload);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  genie_store_image_t *wrong = NULL;
  status = genie_store_image_open(store, &weights->digest, 1, (uint64_t)kChunkBytes + 1, NULL, &wrong);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
}

static void a_cut_upload_resumes_where_it_stopped(void **state) {
  (void)state;
  genie_store_t *store = make_disk_store(UINT64_MAX / 2);
  weights_t *weights = make_weights(1);
  genie_store_image_t *image = open_image(store, weights);
  genie_store_upload_t *upload = claim(image);
  OK(send_piece(upload, weights->bytes, kPieceBytes));
  genie_store_upload_release(upload);
  upload = claim(image);
  assert_int_equal(upload->received_bytes, kPieceBytes);
  OK(send_piece(upload, weights->bytes, kPieceBytes));
  genie_store_upload_release(upload);
  genie_store_image_close(image);
  genie_store_destroy(store);
  // A restart of the node: the part on disk is hashed anew.
  store = make_disk_store(UINT64_MAX / 2);
  image = open_image(store, weights);
  upload = claim(image);
  assert_int_equal(upload->received_bytes, 2 * kPieceBytes);
  OK(send_piece(upload, weights->bytes, kPieceBytes));
  genie_store_upload_release(upload);
  assert_holds(image, weights);
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
}

typedef struct waiter {
  genie_store_image_t *image;
  genie_store_upload_t *upload;
  bool is_late;
} waiter_t;

static void *wait_for_claim(void *self) {
  waiter_t *waiter = self;
  const genie_status_t status = genie_store_claim(waiter->image, NULL, kLongNs, &waiter->upload);
  waiter->is_late = status != GENIE_OK;
  genie_status_free(status);
  return NULL;
}

static void sessions_wait_for_one_upload(void **state) {
  (void)state;
  genie_store_t *store = make_store(&(genie_store_options_t){0});
  weights_t *weights = make_weights(1);
  genie_store_image_t *image = open_image(store, weights);
  genie_store_upload_t *upload = claim(image), *second = NULL;
  waiter_t waiter = {.image = image};
  pthread_t thread;
  assert_int_equal(genie_store_image_missing(image, NULL, NULL, 0), 0);
  genie_status_t status = genie_store_claim(image, NULL, kShortNs, &second);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_DEADLINE_EXCEEDED);
  genie_status_free(status);
  status = genie_store_claim_chunk(image, 0, &second);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNAVAILABLE);
  genie_status_free(status);
  OK(send_piece(upload, weights->bytes, kPieceBytes));
  // The first client is cut: the one that waits goes on where it stopped.
  assert_int_equal(pthread_create(&thread, NULL, wait_for_claim, &waiter), 0);
  genie_store_upload_release(upload);
  pthread_join(thread, NULL);
  assert_false(waiter.is_late);
  assert_int_equal(waiter.upload->received_bytes, kPieceBytes);
  upload = waiter.upload;
  // It ends: whoever waits finds the image complete.
  assert_int_equal(pthread_create(&thread, NULL, wait_for_claim, &waiter), 0);
  OK(send_piece(upload, weights->bytes, kSmallBytes - kPieceBytes));
  genie_store_upload_release(upload);
  pthread_join(thread, NULL);
  assert_false(waiter.is_late);
  assert_null(waiter.upload);
  assert_holds(image, weights);
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
}

// ---- The disk ----

static void weights_outlive_a_restart(void **state) {
  (void)state;
  weights_t *weights = make_weights(1);
  for (int i = 0; i < 2; ++i) {
    genie_store_t *store = make_disk_store(UINT64_MAX / 2);
    genie_store_image_t *image = open_image(store, weights);
    if (i == 0) {
      upload_all(image, weights);
    }
    assert_holds(image, weights);
    assert_int_equal(stats_of(store).disk_hits, i);
    genie_store_image_close(image);
    genie_store_destroy(store);
  }
  free(weights);
}

static void path_of_chunk(const weights_t *weights, char out_path[256]) {
  int length = snprintf(out_path, 256, "%s/", folder);
  for (size_t i = 0; i < sizeof(weights->digest.bytes); ++i) {
    length += snprintf(out_path + length, 256 - (size_t)length, "%02x", weights->digest.bytes[i]);
  }
}

static void damaged_files_are_found_and_deleted(void **state) {
  (void)state;
  weights_t *weights = make_weights(1);
  char path[256];
  genie_store_t *store = make_disk_store(UINT64_MAX / 2);
  genie_store_image_t *image = open_image(store, weights);
  upload_all(image, weights);
  genie_store_image_close(image);
  path_of_chunk(weights, path);
  const int file = open(path, O_WRONLY);
  assert_int_equal(pwrite(file, "x", 1, 12345), 1);
  close(file);
  image = open_image(store, weights);
  assert_false(genie_store_image_is_complete(image, NULL));
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(stats_of(store).corrupt_files, 1);
  assert_int_equal(warning_count, 1);
  upload_all(image, weights);
  assert_holds(image, weights);
  // Cut short, it is found as well.
  genie_store_image_close(image);
  assert_int_equal(truncate(path, 100), 0);
  image = open_image(store, weights);
  assert_false(genie_store_image_is_complete(image, NULL));
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
}

static void the_least_recently_used_goes_first(void **state) {
  (void)state;
  genie_store_t *store = make_disk_store(2 * (uint64_t)kSmallBytes + 1);
  weights_t *weights[3];
  char path[256];
  for (uint32_t i = 0; i < 3; ++i) {
    weights[i] = make_weights(i);
    if (i == 2) {
      genie_store_image_close(open_image(store, weights[0]));  // used again
    }
    genie_store_image_t *image = open_image(store, weights[i]);
    upload_all(image, weights[i]);
    genie_store_image_close(image);
  }
  for (uint32_t i = 0; i < 3; ++i) {
    path_of_chunk(weights[i], path);
    assert_int_equal(access(path, F_OK), i == 1 ? -1 : 0);
    free(weights[i]);
  }
  assert_int_equal(stats_of(store).disk_bytes, 2 * kSmallBytes);
  assert_int_equal(stats_of(store).evicted_files, 1);
  genie_store_destroy(store);
}

static void a_full_disk_leaves_weights_in_memory(void **state) {
  (void)state;
  struct rlimit limit;
  weights_t *weights = make_weights(1), *others = make_weights(2);
  genie_store_t *store = make_disk_store(UINT64_MAX / 2);
  genie_store_image_t *image = open_image(store, weights), *second = open_image(store, others);
  getrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = kPieceBytes + 5, .rlim_max = limit.rlim_max});
  upload_all(image, weights);
  upload_all(second, others);
  setrlimit(RLIMIT_FSIZE, &limit);
  assert_holds(image, weights);
  assert_holds(second, others);
  assert_int_equal(warning_count, 1);
  assert_false(stats_of(store).has_disk);
  assert_int_equal(stats_of(store).disk_bytes, 0);
  genie_store_image_close(image);
  genie_store_image_close(second);
  genie_store_destroy(store);
  free(weights);
  free(others);
}

static void a_folder_belongs_to_one_process(void **state) {
  (void)state;
  genie_store_t *store = make_disk_store(1), *second = NULL;
  const genie_store_options_t options = {.folder = folder, .disk_limit_bytes = 1};
  const genie_status_t status = genie_store_create(&options, genie_allocator_heap(), &second);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  assert_non_null(strstr(genie_status_message(status), "another process"));
  genie_status_free(status);
  genie_store_destroy(store);
}

// ---- Memory ----

static void memory_has_a_limit_and_idle_weights_yield(void **state) {
  (void)state;
  weights_t *weights[3] = {make_weights(0), make_weights(1), make_weights(2)};
  genie_store_t *store = make_store(&(genie_store_options_t){.memory_limit_bytes = 2 * (uint64_t)kSmallBytes,
                                                             .idle_limit_bytes = 2 * (uint64_t)kSmallBytes});
  genie_store_image_t *first = open_image(store, weights[0]), *second = open_image(store, weights[1]), *third = NULL;
  upload_all(first, weights[0]);
  genie_status_t status = genie_store_image_open(store, &weights[2]->digest, 1, kSmallBytes, NULL, &third);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
  genie_status_free(status);
  // Idle weights stay for who comes back, and go when another needs the room.
  genie_store_image_close(first);
  first = open_image(store, weights[0]);
  assert_holds(first, weights[0]);
  genie_store_image_close(first);
  third = open_image(store, weights[2]);
  assert_int_equal(stats_of(store).image_bytes, 2 * kSmallBytes);
  genie_store_image_close(second);
  genie_store_image_close(third);
  genie_store_destroy(store);
  for (int i = 0; i < 3; ++i) {
    free(weights[i]);
  }
}

// Two plans whose first 64 MiB are the same.
static void plans_share_a_chunk(void **state) {
  (void)state;
  genie_store_t *store = make_store(&(genie_store_options_t){0});
  weights_t *tails[2] = {make_weights(1), make_weights(2)};
  uint8_t *zeros = calloc(1, kChunkBytes);
  genie_store_image_t *images[2];
  genie_plan_digest_t head;
  genie_store_upload_t *upload = NULL;
  OK(genie_plan_digest_of(zeros, kChunkBytes, &head));
  for (int i = 0; i < 2; ++i) {
    const genie_plan_digest_t chunks[2] = {head, tails[i]->digest};
    OK(genie_store_image_open(store, chunks, 2, (uint64_t)kChunkBytes + kSmallBytes, NULL, &images[i]));
    OK(genie_store_image_load(images[i], NULL, NULL));
    if (i == 0) {
      OK(genie_store_claim_chunk(images[i], 0, &upload));
      OK(genie_store_upload_advance(upload, kChunkBytes));  // of zeros, which new memory holds
      genie_store_upload_release(upload);
    }
    OK(genie_store_claim(images[i], NULL, kShortNs, &upload));
    assert_int_equal(upload->chunk, 1);
    OK(send_piece(upload, tails[i]->bytes, kSmallBytes));
    genie_store_upload_release(upload);
    assert_true(genie_store_image_is_complete(images[i], NULL));
  }
  assert_int_equal(stats_of(store).memory_hits, 1);
  for (int i = 0; i < 2; ++i) {
    genie_store_image_close(images[i]);
    free(tails[i]);
  }
  genie_store_destroy(store);
  free(zeros);
}

static void a_plan_without_weights_is_complete(void **state) {
  (void)state;
  genie_store_t *store = make_store(&(genie_store_options_t){0});
  genie_store_image_t *image = NULL;
  OK(genie_store_image_open(store, NULL, 0, 0, NULL, &image));
  OK(genie_store_image_load(image, NULL, NULL));
  assert_null(claim(image));
  OK(genie_store_image_read(image, 0, 0, NULL));
  genie_store_image_close(image);
  genie_store_destroy(store);
}

// ---- Files that the node sees ----

static void write_file(const char *path, const uint8_t *bytes, size_t size_bytes) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_int_equal(write(file, "head", 4), 4);
  assert_int_equal(write(file, bytes, size_bytes), size_bytes);
  close(file);
}

static void a_shared_file_is_read_instead_of_uploaded(void **state) {
  (void)state;
  const char *shared[] = {folder, NULL};
  weights_t *weights = make_weights(1), *others = make_weights(2);
  genie_store_t *store = make_store(&(genie_store_options_t){.shared_folders = shared});
  genie_store_image_t *image = open_image(store, weights), *second = open_image(store, others);
  char path[128];
  snprintf(path, sizeof(path), "%s/weights", folder);
  write_file(path, weights->bytes, kSmallBytes);
  OK(genie_store_image_load(second, NULL, &(genie_store_file_t){.path = path, .offset = 4}));
  assert_false(genie_store_image_is_complete(second, NULL));
  OK(genie_store_image_load(image, NULL, &(genie_store_file_t){.path = path, .offset = 5}));
  assert_false(genie_store_image_is_complete(image, NULL));
  OK(genie_store_image_load(image, NULL, &(genie_store_file_t){.path = path, .offset = 4}));
  assert_holds(image, weights);
  assert_int_equal(stats_of(store).file_hits, 1);
  genie_store_image_close(image);
  genie_store_image_close(second);
  genie_store_destroy(store);
  free(weights);
  free(others);
}

static void no_other_file_can_be_named(void **state) {
  (void)state;
  const char *shared[] = {folder, NULL};
  weights_t *weights = make_weights(1);
  genie_store_t *store = make_store(&(genie_store_options_t){.shared_folders = shared});
  genie_store_image_t *image = open_image(store, weights);
  char climbing[128], link[128], fifo[128];
  snprintf(climbing, sizeof(climbing), "%s/../passwd", folder);
  snprintf(link, sizeof(link), "%s/link", folder);
  snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
  assert_int_equal(symlink("/etc/passwd", link), 0);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  const struct {
    const char *path;
    genie_status_code_t code;
  } kCases[] = {{"/etc/passwd", GENIE_STATUS_PERMISSION_DENIED},
                {"weights", GENIE_STATUS_PERMISSION_DENIED},
                {climbing, GENIE_STATUS_NOT_FOUND},
                {link, GENIE_STATUS_NOT_FOUND},
                {fifo, GENIE_STATUS_NOT_FOUND}};
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    const genie_status_t status = genie_store_image_load(image, NULL, &(genie_store_file_t){.path = kCases[i].path});
    assert_int_equal(genie_status_code(status), kCases[i].code);
    genie_status_free(status);
  }
  genie_store_image_close(image);
  genie_store_destroy(store);
  free(weights);
}

// A session whose places use some of the weights takes the chunks that hold them, and no others.
static void chunks_that_nobody_needs_neither_travel_nor_take_memory(void **state) {
  (void)state;
  static const bool kSecond[] = {false, true}, kFirst[] = {true, false};
  genie_store_t *store =
      make_store(&(genie_store_options_t){.memory_limit_bytes = (uint64_t)kChunkBytes + kSmallBytes});
  weights_t *tail = make_weights(1);
  const genie_plan_digest_t chunks[2] = {{{7}}, tail->digest};
  genie_store_image_t *image = NULL, *other = NULL;
  genie_store_upload_t *upload = NULL;
  uint32_t missing[2];
  uint8_t byte = 0;
  OK(genie_store_image_open(store, chunks, 2, (uint64_t)kChunkBytes + kSmallBytes, kSecond, &image));
  OK(genie_store_image_load(image, kSecond, NULL));
  assert_int_equal(genie_store_image_missing(image, kSecond, missing, 2), 1);
  assert_int_equal(missing[0], 1);
  assert_int_equal(stats_of(store).image_bytes, kSmallBytes);
  genie_status_t status = genie_store_claim_chunk(image, 0, &upload);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_OUT_OF_RANGE);
  genie_status_free(status);
  OK(genie_store_claim(image, kSecond, kLongNs, &upload));
  assert_int_equal(upload->chunk, 1);
  while (upload->received_bytes < upload->size_bytes) {
    OK(send_piece(upload, tail->bytes, kPieceBytes));
  }
  genie_store_upload_release(upload);
  // Another session needs the rest: the first has all that it needs, before and after.
  OK(genie_store_image_open(store, chunks, 2, (uint64_t)kChunkBytes + kSmallBytes, kFirst, &other));
  assert_ptr_equal(image, other);
  assert_int_equal(stats_of(store).image_bytes, (uint64_t)kChunkBytes + kSmallBytes);
  assert_true(genie_store_image_is_complete(image, kSecond));
  assert_false(genie_store_image_is_complete(image, kFirst));
  OK(genie_store_image_read(image, (uint64_t)kChunkBytes + 5, 1, &byte));
  assert_int_equal(byte, tail->bytes[5]);
  status = genie_store_image_read(image, (uint64_t)kChunkBytes - 1, 2, &byte);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  genie_status_free(status);
  genie_store_image_close(image);
  genie_store_image_close(other);
  assert_int_equal(stats_of(store).image_bytes, 0);
  genie_store_destroy(store);
  free(tail);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(uploaded_weights_are_shared_and_read),
      TEST(wrong_bytes_are_refused_and_forgotten),
      TEST(more_bytes_than_a_chunk_has_are_refused),
      TEST(a_cut_upload_resumes_where_it_stopped),
      TEST(sessions_wait_for_one_upload),
      TEST(weights_outlive_a_restart),
      TEST(damaged_files_are_found_and_deleted),
      TEST(the_least_recently_used_goes_first),
      TEST(a_full_disk_leaves_weights_in_memory),
      TEST(a_folder_belongs_to_one_process),
      TEST(memory_has_a_limit_and_idle_weights_yield),
      TEST(plans_share_a_chunk),
      TEST(chunks_that_nobody_needs_neither_travel_nor_take_memory),
      TEST(a_plan_without_weights_is_complete),
      TEST(a_shared_file_is_read_instead_of_uploaded),
      TEST(no_other_file_can_be_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
