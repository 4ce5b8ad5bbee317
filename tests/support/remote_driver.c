// Uses libgenie as a program would that keeps many sessions and calls on other nodes.
//
// usage: remote_driver PLAN POOL KEY PLACE_MAP|- MODE COUNT
// clang-format off
//   sessions COUNT   opens a session, runs it and destroys it, COUNT times; prints what of this process has grown
//   pipeline COUNT   keeps COUNT calls in flight as the library lets it; each gives what a session in this process gives
//   cancel COUNT     submits COUNT calls and cancels every other one: each ends, with its result or with CANCELLED
//   late COUNT       submits COUNT calls that have a nanosecond: each ends, with its result or DEADLINE_EXCEEDED
//   chain COUNT      COUNT runs, each with the output of the one before as its input, beside the same in this process
//   reconnect COUNT  runs until the node is lost, then reconnects until that works, and runs COUNT times more
//   hold COUNT       runs COUNT times, says so, and keeps the session until its input ends
//   rate COUNT       COUNT runs one after the other, then as many with calls in flight; prints both rates
//   retry COUNT      keeps calls in flight that may be repeated, COUNT in all: none fails, each has its own result
// clang-format on
// The plan's first entry has static shapes. Inputs are f32, or zeros.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "genie/genie.h"

enum { kMostTensors = 16 };

typedef struct driver {
  genie_model_t *model;
  genie_remote_options_t remote;
  genie_session_options_t options;
  const char *place_map[1];
  uint32_t input_count, output_count;
  genie_tensor_t inputs[kMostTensors];
} driver_t;

static void check(genie_status_t status) {
  if (status != GENIE_OK) {
    fprintf(stderr, "remote_driver: %s: %s\n", genie_status_code_name(genie_status_code(status)),
            genie_status_message(status));
    exit(1);
  }
}

static void expect(bool is_true, const char *what) {
  if (!is_true) {
    fprintf(stderr, "remote_driver: not so: %s\n", what);
    exit(1);
  }
}

static size_t bytes_of(const genie_tensor_t *tensor) {
  size_t bytes = genie_dtype_bytes(tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i) {
    bytes *= (size_t)tensor->shape[i];
  }
  return bytes;
}

static void make_inputs(driver_t *driver) {
  driver->input_count = genie_model_input_count(driver->model, 0);
  driver->output_count = genie_model_output_count(driver->model, 0);
  expect(driver->input_count <= kMostTensors && driver->output_count <= kMostTensors, "few inputs and outputs");
  for (uint32_t i = 0; i < driver->input_count; ++i) {
    genie_tensor_info_t info;
    genie_tensor_t *input = &driver->inputs[i];
    check(genie_model_input_info(driver->model, 0, i, &info));
    input->dtype = info.dtype;
    input->rank = info.rank;
    check(genie_model_input_shape(driver->model, 0, i, NULL, input->shape));
    input->data = calloc(1, bytes_of(input) + 1);
  }
}

// Other values for each call, so that a result of another call is seen.
static void fill_inputs(const driver_t *driver, int seed) {
  for (uint32_t i = 0; i < driver->input_count; ++i) {
    const genie_tensor_t *input = &driver->inputs[i];
    for (size_t j = 0; input->dtype == GENIE_DTYPE_F32 && j < bytes_of(input) / sizeof(float); ++j) {
      ((float *)input->data)[j] = (float)((seed * 31 + (int)j * 7) % 101) / 101.0f - 0.5f;
    }
  }
}

static genie_session_t *open_session(const driver_t *driver) {
  genie_session_t *session = NULL;
  check(genie_session_create(driver->model, &driver->options, &session));
  return session;
}

static void run_once(const driver_t *driver, genie_session_t *session) {
  genie_tensor_t outputs[kMostTensors] = {0};
  check(genie_session_run(session, 0, driver->inputs, driver->input_count, outputs, driver->output_count));
}

// ---- sessions ----

static long resident_kib(void) {
  long kib = 0;
  char line[256];
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof(line), file) != NULL && sscanf(line, "VmRSS: %ld", &kib) != 1) {
  }
  fclose(file);
  return kib;
}

static int file_count(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder) != NULL) {
    ++count;
  }
  closedir(folder);
  return count;
}

static void drive_sessions(const driver_t *driver, int count) {
  long begin_kib = 0;
  int begin_files = 0;
  for (int i = 0; i < count; ++i) {
    if (i == count / 10) {
      begin_kib = resident_kib();
      begin_files = file_count();
    }
    genie_session_t *session = open_session(driver);
    run_once(driver, session);
    genie_session_destroy(session);
  }
  printf("{\"grown_kib\": %ld, \"grown_files\": %d}\n", resident_kib() - begin_kib, file_count() - begin_files);
}

// ---- submissions ----

typedef struct in_flight {
  genie_submission_t *submission;
  genie_tensor_t outputs[kMostTensors];
} in_flight_t;

static void count_completion(void *context, genie_submission_t *submission) {
  (void)submission;
  __atomic_fetch_add((int *)context, 1, __ATOMIC_SEQ_CST);
}

static in_flight_t *submit_all(const driver_t *driver, genie_session_t *session, int count, uint64_t timeout_ns,
                               int *completed) {
  in_flight_t *calls = calloc((size_t)count, sizeof(*calls));
  const genie_submit_options_t options = {
      .timeout_ns = timeout_ns, .completed = count_completion, .context = completed};
  for (int i = 0; i < count; ++i) {
    fill_inputs(driver, i);
    check(genie_session_submit(session, 0, driver->inputs, driver->input_count, calls[i].outputs, driver->output_count,
                               &options, &calls[i].submission));
  }
  return calls;
}

static void compare(const driver_t *driver, genie_session_t *local, const in_flight_t *call, int seed) {
  genie_tensor_t expected[kMostTensors] = {0};
  fill_inputs(driver, seed);
  check(genie_session_run(local, 0, driver->inputs, driver->input_count, expected, driver->output_count));
  for (uint32_t i = 0; i < driver->output_count; ++i) {
    expect(memcmp(call->outputs[i].data, expected[i].data, bytes_of(&expected[i])) == 0, "equal outputs");
  }
}

static void drive_pipeline(const driver_t *driver, int count) {
  int completed = 0;
  genie_session_t *session = open_session(driver);
  genie_session_t *local = NULL;
  const genie_session_options_t options = {.thread_count = 1};
  check(genie_session_create(driver->model, &options, &local));
  in_flight_t *calls = submit_all(driver, session, count, 0, &completed);
  for (int i = 0; i < count; ++i) {
    check(genie_submission_wait(calls[i].submission, UINT64_MAX));
    compare(driver, local, &calls[i], i);
    genie_submission_destroy(calls[i].submission);
  }
  run_once(driver, session);  // a run among submissions
  expect(__atomic_load_n(&completed, __ATOMIC_SEQ_CST) == count, "one completion a call");
  free(calls);
  genie_session_destroy(local);
  genie_session_destroy(session);
  printf("{\"calls\": %d}\n", count);
}

static void drive_endings(const driver_t *driver, int count, bool is_late) {
  int completed = 0;
  int ended_count[2] = {0};
  const genie_status_code_t early = is_late ? GENIE_STATUS_DEADLINE_EXCEEDED : GENIE_STATUS_CANCELLED;
  genie_session_t *session = open_session(driver);
  in_flight_t *calls = submit_all(driver, session, count, is_late ? 1 : 0, &completed);
  for (int i = 0; !is_late && i < count; i += 2) {
    genie_submission_cancel(calls[i].submission);
  }
  for (int i = 0; i < count; ++i) {
    const genie_status_t status = genie_submission_wait(calls[i].submission, UINT64_MAX);
    expect(status == GENIE_OK || genie_status_code(status) == early, "a result, or the end that was asked for");
    ++ended_count[status != GENIE_OK];
    genie_status_free(status);
    genie_submission_destroy(calls[i].submission);
  }
  expect(__atomic_load_n(&completed, __ATOMIC_SEQ_CST) == count, "one completion a call");
  run_once(driver, session);  // the session goes on
  free(calls);
  genie_session_destroy(session);
  printf("{\"results\": %d, \"early\": %d}\n", ended_count[0], ended_count[1]);
}

// ---- chain ----

static void drive_chain(const driver_t *driver, int count) {
  genie_session_t *sessions[2] = {open_session(driver), NULL};
  const genie_session_options_t options = {.thread_count = 1};
  check(genie_session_create(driver->model, &options, &sessions[1]));
  fill_inputs(driver, 1);
  genie_tensor_t links[2] = {driver->inputs[0], driver->inputs[0]};
  for (int i = 0; i < count; ++i) {
    for (int s = 0; s < 2; ++s) {
      genie_tensor_t outputs[kMostTensors] = {0};
      genie_tensor_t inputs[kMostTensors];
      memcpy(inputs, driver->inputs, sizeof(inputs));
      inputs[0] = links[s];
      check(genie_session_run(sessions[s], 0, inputs, driver->input_count, outputs, driver->output_count));
      links[s] = outputs[0];
    }
    expect(memcmp(links[0].data, links[1].data, bytes_of(&links[0])) == 0, "equal links of both chains");
  }
  genie_session_destroy(sessions[0]);
  genie_session_destroy(sessions[1]);
  printf("{\"runs\": %d}\n", count);
}

// ---- reconnect ----

static void drive_reconnect(const driver_t *driver, int count) {
  genie_session_t *session = open_session(driver);
  genie_tensor_t outputs[kMostTensors] = {0};
  genie_status_t status = GENIE_OK;
  printf("running\n");
  fflush(stdout);
  while (status == GENIE_OK) {
    status = genie_session_run(session, 0, driver->inputs, driver->input_count, outputs, driver->output_count);
  }
  printf("%s: %s\n", genie_status_code_name(genie_status_code(status)), genie_status_message(status));
  fflush(stdout);
  for (int i = 0; i < 100 && status != GENIE_OK; ++i) {
    genie_status_free(status);
    usleep(100000);
    status = genie_session_reconnect(session);
  }
  check(status);
  for (int i = 0; i < count; ++i) {
    run_once(driver, session);
  }
  genie_session_destroy(session);
  printf("reconnected\n");
}

// ---- retry ----

enum { kWindow = 12 };

// Each has other inputs than its neighbours; results are compared with those of this process.
static void drive_retry(driver_t *driver, int count) {
  driver->remote.may_retry = true;
  genie_session_t *session = open_session(driver), *local = NULL;
  const genie_session_options_t options = {.thread_count = 1};
  check(genie_session_create(driver->model, &options, &local));
  in_flight_t calls[kWindow] = {0};
  int completed = 0;
  for (int i = 0; i < count + kWindow; ++i) {
    in_flight_t *call = &calls[i % kWindow];
    if (call->submission != NULL) {
      check(genie_submission_wait(call->submission, UINT64_MAX));
      compare(driver, local, call, i - kWindow);
      genie_submission_destroy(call->submission);
    }
    *call = (in_flight_t){0};
    if (i < count) {
      const genie_submit_options_t submit = {.completed = count_completion, .context = &completed};
      fill_inputs(driver, i);
      check(genie_session_submit(session, 0, driver->inputs, driver->input_count, call->outputs, driver->output_count,
                                 &submit, &call->submission));
    }
    if (i == kWindow) {
      printf("running\n");
      fflush(stdout);
    }
  }
  expect(__atomic_load_n(&completed, __ATOMIC_SEQ_CST) == count, "one completion a call");
  genie_session_destroy(local);
  genie_session_destroy(session);
  printf("done\n");
}

// ---- hold ----

static void drive_hold(const driver_t *driver, int count) {
  genie_session_t *session = open_session(driver);
  for (int i = 0; i < count; ++i) {
    run_once(driver, session);
  }
  printf("held\n");
  fflush(stdout);
  (void)getchar();
  genie_session_destroy(session);
}

// ---- rate ----

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void drive_rate(const driver_t *driver, int count) {
  genie_session_t *session = open_session(driver);
  in_flight_t calls[kWindow] = {0};
  run_once(driver, session);
  const double begin = seconds_now();
  for (int i = 0; i < count; ++i) {
    run_once(driver, session);
  }
  const double middle = seconds_now();
  for (int i = 0; i < count + kWindow; ++i) {
    in_flight_t *call = &calls[i % kWindow];
    if (call->submission != NULL) {
      check(genie_submission_wait(call->submission, UINT64_MAX));
      genie_submission_destroy(call->submission);
    }
    *call = (in_flight_t){0};
    if (i < count) {
      check(genie_session_submit(session, 0, driver->inputs, driver->input_count, call->outputs, driver->output_count,
                                 NULL, &call->submission));
    }
  }
  printf("{\"runs_per_s\": %.1f, \"submissions_per_s\": %.1f}\n", count / (middle - begin),
         count / (seconds_now() - middle));
  genie_session_destroy(session);
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: remote_driver PLAN POOL KEY PLACE_MAP|- MODE COUNT\n");
    return 2;
  }
  driver_t driver = {.remote = {.pool = argv[2], .key = argv[3]}, .place_map = {argv[4]}};
  driver.remote.place_map = driver.place_map;
  driver.remote.place_map_count = strcmp(argv[4], "-") == 0 ? 0 : 1;
  driver.options = (genie_session_options_t){.thread_count = 1, .remote = &driver.remote};
  const char *mode = argv[5];
  const int count = atoi(argv[6]);
  check(genie_model_open(argv[1], NULL, &driver.model));
  make_inputs(&driver);
  if (strcmp(mode, "sessions") == 0) {
    drive_sessions(&driver, count);
  } else if (strcmp(mode, "pipeline") == 0) {
    drive_pipeline(&driver, count);
  } else if (strcmp(mode, "chain") == 0) {
    drive_chain(&driver, count);
  } else if (strcmp(mode, "hold") == 0) {
    drive_hold(&driver, count);
  } else if (strcmp(mode, "rate") == 0) {
    drive_rate(&driver, count);
  } else if (strcmp(mode, "retry") == 0) {
    drive_retry(&driver, count);
  } else if (strcmp(mode, "reconnect") == 0) {
    drive_reconnect(&driver, count);
  } else {
    drive_endings(&driver, count, strcmp(mode, "late") == 0);
  }
  for (uint32_t i = 0; i < driver.input_count; ++i) {
    free(driver.inputs[i].data);
  }
  genie_model_close(driver.model);
  return 0;
}
