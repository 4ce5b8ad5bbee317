// Finding things in a plan by name or by what a device can do.
#include <string.h>

#include "runtime/base/string_builder.h"
#include "runtime/plan/reader.h"

// "what 'name' does not exist; there are: a, b, c" over `count` names that `name_of` gives.
typedef const char *(*name_of_fn_t)(const genie_plan_t *plan, uint32_t first, uint32_t position);

static genie_status_t find_name(const genie_plan_t *plan, const char *what, const char *name, uint32_t first,
                                uint32_t count, name_of_fn_t name_of, uint32_t *out_position) {
  for (uint32_t i = 0; i < count; ++i) {
    if (strcmp(name_of(plan, first, i), name) == 0) {
      *out_position = i;
      return GENIE_OK;
    }
  }
  genie_string_builder_t names;
  genie_string_builder_init(plan->allocator, &names);
  for (uint32_t i = 0; i < count; ++i) {
    genie_string_builder_format(&names, "%s%s", i == 0 ? "" : ", ", name_of(plan, first, i));
  }
  const genie_status_t status = genie_status_make(GENIE_STATUS_NOT_FOUND, "no %s '%s'; the plan has: %s", what, name,
                                                  genie_string_builder_get(&names));
  genie_string_builder_deinit(&names);
  return status;
}

static const char *entry_name(const genie_plan_t *plan, uint32_t first, uint32_t position) {
  return genie_plan_string(plan, plan->entries[first + position].name);
}

static const char *listed_tensor_name(const genie_plan_t *plan, uint32_t first, uint32_t position) {
  return genie_plan_string(plan, plan->tensors[plan->indices[first + position]].name);
}

genie_status_t genie_plan_find_entry(const genie_plan_t *plan, const char *name, uint32_t *out_entry) {
  if (name == NULL || name[0] == '\0') {
    *out_entry = 0;
    return GENIE_OK;
  }
  return find_name(plan, "entry", name, 0, plan->entry_count, entry_name, out_entry);
}

genie_status_t genie_plan_find_input(const genie_plan_t *plan, uint32_t entry, const char *name,
                                     uint32_t *out_position) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  return find_name(plan, "input", name, record->first_input, record->input_count, listed_tensor_name, out_position);
}

genie_status_t genie_plan_find_output(const genie_plan_t *plan, uint32_t entry, const char *name,
                                      uint32_t *out_position) {
  const genie_plan_entry_t *record = &plan->entries[entry];
  return find_name(plan, "output", name, record->first_output, record->output_count, listed_tensor_name, out_position);
}

static bool has_feature(const char *features, const char *feature, size_t length) {
  while (*features != '\0') {
    const size_t span = strcspn(features, ",");
    if (span == length && memcmp(features, feature, length) == 0) {
      return true;
    }
    features += span + (features[span] == ',');
  }
  return false;
}

// Appends the features of `needed` that `available` lacks; returns how many.
static int list_missing(const char *needed, const char *available, genie_string_builder_t *out_missing) {
  int count = 0;
  while (*needed != '\0') {
    const size_t span = strcspn(needed, ",");
    if (span > 0 && !has_feature(available, needed, span)) {
      if (out_missing != NULL) {
        genie_string_builder_format(out_missing, "%s%.*s", count == 0 ? "" : ", ", (int)span, needed);
      }
      ++count;
    }
    needed += span + (needed[span] == ',');
  }
  return count;
}

static genie_status_t no_target(const genie_plan_t *plan, const char *device_kind, const char *features,
                                uint32_t closest) {
  if (closest == GENIE_PLAN_NONE) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the plan has no code for a device of kind '%s'",
                             device_kind);
  }
  const genie_plan_target_t *target = &plan->targets[closest];
  genie_string_builder_t missing;
  genie_string_builder_init(plan->allocator, &missing);
  list_missing(genie_plan_string(plan, target->features), features, &missing);
  const genie_status_t status = genie_status_make(
      GENIE_STATUS_FAILED_PRECONDITION,
      "the plan's code is for %s; this device lacks %s: compile with geniec --target= for this machine",
      genie_plan_string(plan, target->name), genie_string_builder_get(&missing));
  genie_string_builder_deinit(&missing);
  return status;
}

genie_status_t genie_plan_select_target(const genie_plan_t *plan, const char *device_kind, const char *features,
                                        uint32_t *out_target) {
  uint32_t closest = GENIE_PLAN_NONE;
  int fewest = INT32_MAX;
  uint32_t found = GENIE_PLAN_NONE;
  for (uint32_t i = 0; i < plan->target_count; ++i) {
    if (strcmp(genie_plan_string(plan, plan->targets[i].device_kind), device_kind) != 0) {
      continue;
    }
    const int missing = list_missing(genie_plan_string(plan, plan->targets[i].features), features, NULL);
    if (missing == 0) {
      found = i;
    } else if (missing < fewest) {
      fewest = missing;
      closest = i;
    }
  }
  if (found == GENIE_PLAN_NONE) {
    return no_target(plan, device_kind, features, closest);
  }
  *out_target = found;
  return GENIE_OK;
}
