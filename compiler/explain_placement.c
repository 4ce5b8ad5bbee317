#include "compiler/explain_placement.h"

#include <string.h>

typedef struct facts {
  char objective[16];
  double latency_ms, bottleneck_ms, bound_ms, whole_latency_ms;
  bool is_optimal;
  int64_t micro_batches;
} facts_t;

static MlirAttribute element(MlirAttribute dictionary, const char *name) {
  return mlirDictionaryAttrGetElementByName(dictionary, mlirStringRefCreateFromCString(name));
}

static double milliseconds(MlirAttribute dictionary, const char *name) {
  const MlirAttribute value = element(dictionary, name);
  return mlirAttributeIsNull(value) || !mlirAttributeIsAInteger(value) ? 0 : mlirIntegerAttrGetValueInt(value) * 1e-6;
}

static MlirAttribute dictionary_of(MlirOperation function, const char *name) {
  const MlirAttribute value = mlirOperationGetAttributeByName(function, mlirStringRefCreateFromCString(name));
  return !mlirAttributeIsNull(value) && mlirAttributeIsADictionary(value) ? value : (MlirAttribute){NULL};
}

static bool read_facts(MlirOperation function, facts_t *out_facts) {
  const MlirAttribute placement = dictionary_of(function, "genie.placement");
  const MlirAttribute split = dictionary_of(function, "genie.micro_batches");
  if (mlirAttributeIsNull(placement)) {
    return false;
  }
  const MlirAttribute objective = element(placement, "objective");
  const MlirAttribute is_optimal = element(placement, "is_optimal");
  *out_facts = (facts_t){.latency_ms = milliseconds(placement, "latency_ns"),
                         .bottleneck_ms = milliseconds(placement, "bottleneck_ns"),
                         .bound_ms = milliseconds(placement, "bound_ns"),
                         .micro_batches = 1};
  if (!mlirAttributeIsNull(objective) && mlirAttributeIsAString(objective)) {
    const MlirStringRef text = mlirStringAttrGetValue(objective);
    snprintf(out_facts->objective, sizeof out_facts->objective, "%.*s", (int)text.length, text.data);
  }
  out_facts->is_optimal =
      !mlirAttributeIsNull(is_optimal) && mlirAttributeIsABool(is_optimal) && mlirBoolAttrGetValue(is_optimal);
  if (!mlirAttributeIsNull(split)) {
    out_facts->micro_batches = mlirIntegerAttrGetValueInt(element(split, "count"));
    out_facts->whole_latency_ms = milliseconds(split, "whole_latency_ns");
  }
  return true;
}

void genie_explain_placement_print(MlirOperation function, FILE *out) {
  facts_t facts;
  if (!read_facts(function, &facts)) {
    return;
  }
  const bool is_stream = strcmp(facts.objective, "throughput") == 0;
  const double value_ms = is_stream ? facts.bottleneck_ms : facts.latency_ms;
  fprintf(out, "  placed for %s: %.3f ms %s predicted", facts.objective, value_ms,
          is_stream ? "between calls" : "a call");
  if (facts.is_optimal) {
    fprintf(out, ", proven the least\n");
  } else if (facts.bound_ms > 0 && facts.bound_ms <= value_ms) {
    fprintf(out, ", none takes less than %.3f ms (gap %.0f %%)\n", facts.bound_ms,
            100 * (1 - facts.bound_ms / value_ms));
  } else {
    fprintf(out, ", without a proven bound\n");
  }
  if (facts.micro_batches > 1) {
    fprintf(out, "  the batch runs as %lld micro-batches: a call takes %.3f ms, %.3f ms without them\n",
            (long long)facts.micro_batches, facts.latency_ms, facts.whole_latency_ms);
  }
}

json_t *genie_explain_placement_make(MlirOperation function) {
  facts_t facts;
  if (!read_facts(function, &facts)) {
    return NULL;
  }
  json_t *object = json_pack("{s:s, s:f, s:f, s:f, s:b, s:I}", "objective", facts.objective, "latency_ms",
                             facts.latency_ms, "bottleneck_ms", facts.bottleneck_ms, "bound_ms", facts.bound_ms,
                             "is_optimal", facts.is_optimal, "micro_batches", (json_int_t)facts.micro_batches);
  if (object != NULL && facts.micro_batches > 1) {
    json_object_set_new(object, "whole_latency_ms", json_real(facts.whole_latency_ms));
  }
  return object;
}
