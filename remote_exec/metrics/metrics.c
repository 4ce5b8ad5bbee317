#include "remote_exec/metrics/metrics.h"

#include <stdbool.h>
#include <string.h>

typedef enum kind { COUNTER, GAUGE } kind_t;
typedef enum scale { ONE, SECONDS, BILLIONTHS } scale_t;

typedef struct row {
  const char *name;
  const char *labels;
  const char *help;
  kind_t kind;
  scale_t scale;
} row_t;

static const row_t kRows[] = {
#define GENIE_METRIC(enumerator, kind, scale, name, labels, help) {name, labels, help, kind, scale},
#include "remote_exec/metrics/metric.def"
};

static const row_t kFamilies[] = {
#define GENIE_METRIC_FAMILY(enumerator, kind, scale, name, labels, help) {name, labels, help, kind, scale},
#include "remote_exec/metrics/metric.def"
};

static const struct {
  genie_status_code_t code;
  const char *name;
} kCodes[] = {
#define GENIE_STATUS_CODE(name, number, next_step) {GENIE_STATUS_##name, #name},
#include "genie/status.def"
#undef GENIE_STATUS_CODE
};

struct genie_metric_sink {
  genie_string_builder_t *builder;
  const row_t *family;
};

void genie_metrics_init(genie_metrics_t *out_metrics) {
  memset(out_metrics, 0, sizeof(*out_metrics));
  pthread_mutex_init(&out_metrics->mutex, NULL);
}

void genie_metrics_deinit(genie_metrics_t *metrics) {
  pthread_mutex_destroy(&metrics->mutex);
}

void genie_metrics_count_error(genie_metrics_t *metrics, genie_status_code_t code) {
  const bool is_known = (unsigned)code < GENIE_METRICS_MAX_CODES;
  atomic_fetch_add_explicit(&metrics->errors[is_known ? code : GENIE_STATUS_INTERNAL], 1, memory_order_relaxed);
}

void genie_metrics_add_collector(genie_metrics_t *metrics, genie_metric_collector_t *collector) {
  pthread_mutex_lock(&metrics->mutex);
  collector->next = metrics->collectors;
  metrics->collectors = collector;
  pthread_mutex_unlock(&metrics->mutex);
}

void genie_metrics_remove_collector(genie_metrics_t *metrics, genie_metric_collector_t *collector) {
  pthread_mutex_lock(&metrics->mutex);
  for (genie_metric_collector_t **link = &metrics->collectors; *link != NULL; link = &(*link)->next) {
    if (*link == collector) {
      *link = collector->next;
      break;
    }
  }
  pthread_mutex_unlock(&metrics->mutex);
}

// ---- The text ----

static void append_head(const row_t *row, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                              row->kind == COUNTER ? "counter" : "gauge");
}

static void append_value(const row_t *row, uint64_t value, genie_string_builder_t *builder) {
  static const uint64_t kUnit = 1000000000u;
  if (row->scale != ONE) {
    genie_string_builder_format(builder, " %llu.%09llu\n", (unsigned long long)(value / kUnit),
                                (unsigned long long)(value % kUnit));
  } else {
    genie_string_builder_format(builder, " %llu\n", (unsigned long long)value);
  }
}

static void append_label(const char *name, size_t name_bytes, const char *value, genie_string_builder_t *builder) {
  genie_string_builder_append(builder, name, name_bytes);
  genie_string_builder_append(builder, "=\"", 2);
  for (const char *at = value; *at != '\0'; ++at) {
    if (*at == '\n') {
      genie_string_builder_append(builder, "\\n", 2);
      continue;
    }
    if (*at == '"' || *at == '\\') {
      genie_string_builder_append(builder, "\\", 1);
    }
    genie_string_builder_append(builder, at, 1);
  }
  genie_string_builder_append(builder, "\"", 1);
}

void genie_metric_sink_put(genie_metric_sink_t *sink, const char *const *label_values, uint64_t value) {
  const char *name = sink->family->labels;
  genie_string_builder_format(sink->builder, "%s{", sink->family->name);
  for (size_t i = 0; *name != '\0'; ++i) {
    const size_t name_bytes = strcspn(name, ",");
    append_label(name, name_bytes, label_values[i], sink->builder);
    name += name_bytes;
    if (*name == ',') {
      genie_string_builder_append(sink->builder, ",", 1);
      ++name;
    }
  }
  genie_string_builder_append(sink->builder, "}", 1);
  append_value(sink->family, value, sink->builder);
}

static void append_rows(const genie_metrics_t *metrics, genie_string_builder_t *builder) {
  for (int i = 0; i < GENIE_METRIC_COUNT; ++i) {
    const row_t *row = &kRows[i];
    if (i == 0 || strcmp(row->name, kRows[i - 1].name) != 0) {
      append_head(row, builder);
    }
    genie_string_builder_format(builder, row->labels[0] == '\0' ? "%s" : "%s{%s}", row->name, row->labels);
    append_value(row, genie_metrics_get(metrics, (genie_metric_t)i), builder);
  }
}

static void append_errors(genie_metrics_t *metrics, genie_metric_sink_t *sink) {
  for (size_t i = 0; i < sizeof(kCodes) / sizeof(kCodes[0]); ++i) {
    if (kCodes[i].code != GENIE_STATUS_OK) {
      genie_metric_sink_put(sink, &kCodes[i].name,
                            atomic_load_explicit(&metrics->errors[kCodes[i].code], memory_order_relaxed));
    }
  }
}

static void collect(genie_metrics_t *metrics, genie_metric_family_t family, genie_metric_sink_t *sink) {
  for (genie_metric_collector_t *at = metrics->collectors; at != NULL; at = at->next) {
    at->collect(at->self, metrics, family, sink);
  }
}

void genie_metrics_format(genie_metrics_t *metrics, genie_string_builder_t *builder) {
  pthread_mutex_lock(&metrics->mutex);
  collect(metrics, GENIE_METRIC_FAMILY_COUNT, NULL);
  append_rows(metrics, builder);
  for (int i = 0; i < GENIE_METRIC_FAMILY_COUNT; ++i) {
    genie_metric_sink_t sink = {.builder = builder, .family = &kFamilies[i]};
    append_head(sink.family, builder);
    if (i == GENIE_METRIC_FAMILY_ERRORS) {
      append_errors(metrics, &sink);
    }
    collect(metrics, (genie_metric_family_t)i, &sink);
  }
  pthread_mutex_unlock(&metrics->mutex);
}
