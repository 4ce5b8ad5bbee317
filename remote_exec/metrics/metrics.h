// What a node counts, and the text that Prometheus reads. metric.def is the table.
//
//     genie_metrics_t metrics;
//     genie_metrics_init(&metrics);
//     genie_metrics_add(&metrics, GENIE_METRIC_CALLS_OK, 1);
//
// Threads: add, set and count_error are atomic and never block, from any thread. Collectors run on the thread that
// formats; adding one, removing one and formatting take turns by a lock, so that a removed collector is never running.
#ifndef GENIE_REMOTE_EXEC_METRICS_METRICS_H_
#define GENIE_REMOTE_EXEC_METRICS_METRICS_H_

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/base/string_builder.h"

typedef enum genie_metric {
#define GENIE_METRIC(enumerator, kind, scale, name, labels, help) GENIE_METRIC_##enumerator,
#include "remote_exec/metrics/metric.def"
  GENIE_METRIC_COUNT
} genie_metric_t;

// Families whose samples come from collectors.
typedef enum genie_metric_family {
#define GENIE_METRIC_FAMILY(enumerator, kind, scale, name, labels, help) GENIE_METRIC_FAMILY_##enumerator,
#include "remote_exec/metrics/metric.def"
  GENIE_METRIC_FAMILY_COUNT
} genie_metric_family_t;

enum { GENIE_METRICS_MAX_CODES = 32 };

// Where a collector puts its samples.
typedef struct genie_metric_sink genie_metric_sink_t;
typedef struct genie_metrics genie_metrics_t;

// Brings the samples of one family, or sets values that cost something to know. Called once for each family, and before
// all with GENIE_METRIC_FAMILY_COUNT to set values.
typedef void (*genie_metric_collect_fn_t)(void *self, genie_metrics_t *metrics, genie_metric_family_t family,
                                          genie_metric_sink_t *sink);

// In the owner's memory: borrowed from add to remove.
typedef struct genie_metric_collector {
  genie_metric_collect_fn_t collect;
  void *self;
  struct genie_metric_collector *next;
} genie_metric_collector_t;

// In the caller's memory.
struct genie_metrics {
  _Atomic uint64_t values[GENIE_METRIC_COUNT];
  _Atomic uint64_t errors[GENIE_METRICS_MAX_CODES];  // by status code
  pthread_mutex_t mutex;                             // of the collectors
  genie_metric_collector_t *collectors;
};

void genie_metrics_init(genie_metrics_t *out_metrics);
void genie_metrics_deinit(genie_metrics_t *metrics);

static inline void genie_metrics_add(genie_metrics_t *metrics, genie_metric_t metric, uint64_t amount) {
  atomic_fetch_add_explicit(&metrics->values[metric], amount, memory_order_relaxed);
}
// Of a gauge.
static inline void genie_metrics_subtract(genie_metrics_t *metrics, genie_metric_t metric, uint64_t amount) {
  atomic_fetch_sub_explicit(&metrics->values[metric], amount, memory_order_relaxed);
}
static inline void genie_metrics_set(genie_metrics_t *metrics, genie_metric_t metric, uint64_t value) {
  atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}
static inline uint64_t genie_metrics_get(const genie_metrics_t *metrics, genie_metric_t metric) {
  return atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
}

// An error that was answered. Codes beyond the table count as INTERNAL.
void genie_metrics_count_error(genie_metrics_t *metrics, genie_status_code_t code);

void genie_metrics_add_collector(genie_metrics_t *metrics, genie_metric_collector_t *collector);
// What was not added is ignored.
void genie_metrics_remove_collector(genie_metrics_t *metrics, genie_metric_collector_t *collector);

// A sample of the family that is being collected: one value for each label of its row, in the row's order, any text.
void genie_metric_sink_put(genie_metric_sink_t *sink, const char *const *label_values, uint64_t value);

// Appends all in the Prometheus text format, version 0.0.4.
void genie_metrics_format(genie_metrics_t *metrics, genie_string_builder_t *builder);

#endif  // GENIE_REMOTE_EXEC_METRICS_METRICS_H_
