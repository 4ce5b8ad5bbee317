// genie bench: how long an entry takes, as a distribution over many runs.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/genie/call.h"
#include "tools/genie/tensor_text.h"

typedef struct bench_options {
  genie_trust_options_t trust;
  genie_call_options_t call;
  int64_t seed;
  int64_t integer_bound;
  genie_config_list_t sizes;
  double seconds;
  int64_t run_count;
  int64_t warmup_count;
  double pause_seconds;
  bool has_profile;
  bool has_device_time;
  bool is_json;
} bench_options_t;

static const genie_config_option_t kOptions[] = {
    GENIE_CALL_OPTIONS(bench_options_t, call),
    {.name = "--size",
     .kind = GENIE_CONFIG_LIST,
     .offset = offsetof(bench_options_t, sizes),
     .value = "NAME=N",
     .help = "value of a dynamic size for made-up inputs; default: its maximum"},
    {.name = "--seed",
     .kind = GENIE_CONFIG_I64,
     .offset = offsetof(bench_options_t, seed),
     .value = "N",
     .maximum = INT64_MAX,
     .help = "of made-up inputs: floats in [-1, 1), integers in [0, --int-max); default 0"},
    {.name = "--int-max",
     .kind = GENIE_CONFIG_I64,
     .offset = offsetof(bench_options_t, integer_bound),
     .value = "N",
     .minimum = 1,
     .maximum = INT32_MAX,
     .help = "bound of made-up integers; default 2"},
    {.name = "--seconds",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(bench_options_t, seconds),
     .value = "X",
     .help = "measure for this long, and at least 5 runs; default 2"},
    {.name = "--runs",
     .kind = GENIE_CONFIG_I64,
     .offset = offsetof(bench_options_t, run_count),
     .value = "N",
     .minimum = 1,
     .maximum = 10000000,
     .help = "measure this many runs instead"},
    {.name = "--warm-up",
     .kind = GENIE_CONFIG_I64,
     .offset = offsetof(bench_options_t, warmup_count),
     .value = "N",
     .minimum = 0,
     .maximum = 1000000,
     .help = "runs before the measured ones; default 3"},
    {.name = "--pause",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(bench_options_t, pause_seconds),
     .value = "X",
     .help = "seconds without work before each measured run: what a call costs from idle"},
    {.name = "--profile",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(bench_options_t, has_profile),
     .help = "measure every launch, and list them by time"},
    {.name = "--device-time",
     .kind = GENIE_CONFIG_FLAG,
     .offset = offsetof(bench_options_t, has_device_time),
     .help = "also measure by the device's clock, without moving inputs and outputs"},
    {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(bench_options_t, is_json), .help = "print JSON"},
    GENIE_TRUST_OPTIONS(bench_options_t, trust),
};

static const genie_config_table_t kTable = {
    .options = kOptions,
    .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
    .usage = "genie bench PLAN [OPTION...]",
    .summary = "Measures runs of an entry. Inputs that are not given are made up from --seed.",
    .minimum_positional = 1,
    .maximum_positional = 1,
};

enum { kLeastRuns = 5, kMostRuns = 10000000 };

typedef enum measure {
  MEASURE_RUN,
  MEASURE_DEVICE,   // by the device's clock; 0 without one
  MEASURE_ENQUEUE,  // the host's part of a run
  MEASURE_COUNT,
} measure_t;

typedef struct samples {
  uint64_t *ns[MEASURE_COUNT];
  size_t count;
} samples_t;

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare_ns(const void *a, const void *b) {
  const uint64_t lhs = *(const uint64_t *)a;
  const uint64_t rhs = *(const uint64_t *)b;
  return lhs < rhs ? -1 : lhs > rhs;
}

static bool is_done(const bench_options_t *options, size_t count, double begin) {
  return options->run_count > 0 ? count >= (size_t)options->run_count
                                : count >= kLeastRuns && now_seconds() - begin >= options->seconds;
}

static void pause_for(double seconds) {
  if (seconds > 0) {
    const time_t whole = (time_t)seconds;
    const struct timespec pause = {.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
    nanosleep(&pause, NULL);
  }
}

static genie_status_t run_once(genie_call_t *call, uint64_t out_ns[MEASURE_COUNT]) {
  for (uint32_t i = 0; i < call->output_count; ++i) {
    call->outputs[i].data = NULL;
  }
  GENIE_RETURN_IF_ERROR(genie_call_run(call));
  genie_session_stats_t stats;
  genie_session_get_stats(call->session, &stats);
  out_ns[MEASURE_RUN] = stats.last_run_ns;
  out_ns[MEASURE_DEVICE] = stats.last_device_ns;
  out_ns[MEASURE_ENQUEUE] = stats.last_enqueue_ns;
  return GENIE_OK;
}

static genie_status_t grow(samples_t *samples, size_t capacity) {
  for (int i = 0; i < MEASURE_COUNT; ++i) {
    uint64_t *grown = realloc(samples->ns[i], capacity * sizeof(*grown));
    if (grown == NULL) {
      return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for %zu samples", capacity);
    }
    samples->ns[i] = grown;
  }
  return GENIE_OK;
}

static genie_status_t collect_samples(genie_call_t *call, const bench_options_t *options, samples_t *out_samples) {
  uint64_t ns[MEASURE_COUNT] = {0};
  for (int64_t i = 0; i < options->warmup_count; ++i) {
    GENIE_RETURN_IF_ERROR(run_once(call, ns));
  }
  const double begin = now_seconds();
  size_t capacity = 0;
  while (!is_done(options, out_samples->count, begin) && out_samples->count < kMostRuns) {
    if (out_samples->count == capacity) {
      capacity = capacity == 0 ? 1024 : capacity * 2;
      GENIE_RETURN_IF_ERROR(grow(out_samples, capacity));
    }
    pause_for(options->pause_seconds);
    GENIE_RETURN_IF_ERROR(run_once(call, ns));
    for (int i = 0; i < MEASURE_COUNT; ++i) {
      out_samples->ns[i][out_samples->count] = ns[i];
    }
    ++out_samples->count;
  }
  for (int i = 0; i < MEASURE_COUNT; ++i) {
    qsort(out_samples->ns[i], out_samples->count, sizeof(*out_samples->ns[i]), compare_ns);
  }
  return GENIE_OK;
}

// The smallest sample that at least `fraction` of all do not exceed.
static double percentile_of(const samples_t *samples, measure_t measure, double fraction) {
  size_t rank = (size_t)((double)samples->count * fraction);
  rank = rank >= samples->count ? samples->count - 1 : rank;
  return (double)samples->ns[measure][rank] / 1e6;
}

static double percentile_ms(const samples_t *samples, double fraction) {
  return percentile_of(samples, MEASURE_RUN, fraction);
}

static double mean_ms(const samples_t *samples) {
  double sum = 0;
  for (size_t i = 0; i < samples->count; ++i) {
    sum += (double)samples->ns[MEASURE_RUN][i];
  }
  return sum / (double)samples->count / 1e6;
}

// VmHWM: the peak since this program began. (getrusage() counts what the process was before exec, too.) 0: not known.
static uint64_t peak_memory_bytes(void) {
  FILE *file = fopen("/proc/self/status", "r");
  unsigned long long kibibytes = 0;
  char line[256];
  while (file != NULL && fgets(line, sizeof(line), file) != NULL && sscanf(line, "VmHWM: %llu kB", &kibibytes) != 1) {
  }
  if (file != NULL) {
    fclose(file);
  }
  return kibibytes * 1024;
}

// ---- Profile ----

static int compare_launches(const void *a, const void *b) {
  const uint64_t lhs = ((const genie_session_launch_profile_t *)a)->total_ns;
  const uint64_t rhs = ((const genie_session_launch_profile_t *)b)->total_ns;
  return lhs > rhs ? -1 : lhs < rhs;
}

static genie_status_t read_profile(const genie_call_t *call, genie_arena_t *arena,
                                   genie_session_launch_profile_t **out_launches, uint32_t *out_count) {
  void *memory = NULL;
  *out_count = genie_session_profile_count(call->session, call->entry);
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, *out_count, sizeof(**out_launches), &memory));
  *out_launches = memory;
  for (uint32_t i = 0; i < *out_count; ++i) {
    GENIE_RETURN_IF_ERROR(genie_session_profile(call->session, call->entry, i, &(*out_launches)[i]));
  }
  qsort(*out_launches, *out_count, sizeof(**out_launches), compare_launches);
  return GENIE_OK;
}

static double launch_ms(const genie_session_launch_profile_t *launch) {
  return launch->run_count == 0 ? 0 : (double)launch->total_ns / (double)launch->run_count / 1e6;
}

static void append_profile(const genie_session_launch_profile_t *launches, uint32_t count, bool is_json,
                           genie_string_builder_t *text) {
  double total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    total += launch_ms(&launches[i]);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const genie_session_launch_profile_t *launch = &launches[i];
    if (is_json) {
      genie_string_builder_format(text, "%s{\"kernel\": ", i == 0 ? ", \"launches\": [" : ", ");
      genie_tensor_text_json_string(launch->kernel, text);
      genie_string_builder_format(text, ", \"module\": ");
      genie_tensor_text_json_string(launch->module, text);
      genie_string_builder_format(text, ", \"tasks\": %lld, \"mean_ms\": %.6f}%s", (long long)launch->task_count,
                                  launch_ms(launch), i + 1 == count ? "]" : "");
    } else {
      genie_string_builder_format(text, "%s%10.4f ms %5.1f%%  %-24s %8lld tasks  %s\n", i == 0 ? "\n" : "",
                                  launch_ms(launch), total > 0 ? 100 * launch_ms(launch) / total : 0, launch->kernel,
                                  (long long)launch->task_count, launch->module);
    }
  }
}

// ---- Report ----

static void append_report(const genie_call_t *call, const samples_t *samples, bool is_json,
                          genie_string_builder_t *text) {
  genie_session_stats_t stats;
  genie_session_get_stats(call->session, &stats);
  const char *format =
      is_json
          ? "\"runs\": %zu, \"min_ms\": %.6f, \"median_ms\": %.6f, \"p95_ms\": %.6f, \"p99_ms\": %.6f, "
            "\"mean_ms\": %.6f, \"load_ms\": %.3f, \"threads\": %u, \"target\": \"%s\", \"launches_per_run\": %llu, "
            "\"weight_bytes\": %llu, \"slab_bytes\": %llu, \"peak_memory_bytes\": %llu"
          : "runs %zu\nmin    %10.4f ms\nmedian %10.4f ms\np95    %10.4f ms\np99    %10.4f ms\n"
            "mean   %10.4f ms\nload   %10.3f ms\nthreads %u, target %s, %llu launches a run\n"
            "bytes: weights %llu, temporaries %llu, peak of the process %llu\n";
  genie_string_builder_format(text, format, samples->count, percentile_ms(samples, 0), percentile_ms(samples, 0.5),
                              percentile_ms(samples, 0.95), percentile_ms(samples, 0.99), mean_ms(samples),
                              (double)stats.load_ns / 1e6, stats.thread_count, stats.target,
                              (unsigned long long)stats.last_launch_count, (unsigned long long)stats.weight_bytes,
                              (unsigned long long)stats.slab_bytes, (unsigned long long)peak_memory_bytes());
  if (stats.last_device_ns > 0) {
    const char *device_format = is_json
                                    ? ", \"device_min_ms\": %.6f, \"device_median_ms\": %.6f, \"enqueue_median_ms\": "
                                      "%.6f"
                                    : "on the device: min %.4f ms, median %.4f ms; enqueued in %.4f ms\n";
    genie_string_builder_format(text, device_format, percentile_of(samples, MEASURE_DEVICE, 0),
                                percentile_of(samples, MEASURE_DEVICE, 0.5),
                                percentile_of(samples, MEASURE_ENQUEUE, 0.5));
  }
}

static genie_status_t measure(genie_call_t *call, genie_command_t *command, const bench_options_t *options,
                              samples_t *samples) {
  GENIE_RETURN_IF_ERROR(collect_samples(call, options, samples));
  genie_session_launch_profile_t *launches = NULL;
  uint32_t launch_count = 0;
  GENIE_RETURN_IF_ERROR(read_profile(call, command->arena, &launches, &launch_count));
  genie_string_builder_t text;
  genie_string_builder_init(command->allocator, &text);
  append_report(call, samples, options->is_json, &text);
  append_profile(launches, launch_count, options->is_json, &text);
  printf(options->is_json ? "{%s}\n" : "%s", genie_string_builder_get(&text));
  const genie_status_t status = genie_string_builder_status(&text);
  genie_string_builder_deinit(&text);
  return status;
}

genie_status_t genie_command_bench(genie_command_t *command) {
  bench_options_t options = {.integer_bound = 2, .seconds = 2, .warmup_count = 3};
  genie_config_list_t positional;
  const genie_status_t parsed = genie_command_parse(command, &kTable, &options, &positional);
  if (parsed != GENIE_OK || command->is_help) {
    return parsed;
  }
  const genie_call_fill_t fill = {.is_enabled = true,
                                  .seed = (uint64_t)options.seed,
                                  .integer_bound = options.integer_bound,
                                  .sizes = options.sizes};
  genie_call_t call;
  samples_t samples = {0};
  genie_status_t status = genie_call_init(
      command, positional.values[0], &options.trust, &options.call, &fill,
      &(genie_session_options_t){.has_profile = options.has_profile, .has_device_time = options.has_device_time},
      &call);
  if (status == GENIE_OK) {
    status = measure(&call, command, &options, &samples);
  }
  for (int i = 0; i < MEASURE_COUNT; ++i) {
    free(samples.ns[i]);
  }
  genie_call_deinit(&call);
  return status;
}
