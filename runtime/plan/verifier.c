#include "runtime/plan/verifier.h"

static genie_status_t check_counts(const genie_plan_t *plan) {
  if (plan->entry_count == 0 || plan->place_count == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: empty; a plan has at least one",
                             plan->entry_count == 0 ? "entries" : "places");
  }
  if (plan->string_bytes == 0 || plan->strings[plan->string_bytes - 1] != '\0') {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "strings: the last one is not zero-terminated");
  }
  for (uint32_t i = 0; i < plan->string_bytes; ++i) {
    if (genie_plan_is_control(plan->strings[i]) && plan->strings[i] != '\0') {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "strings: byte %u is a control character", i);
    }
  }
  return GENIE_OK;
}

static genie_status_t verify_with(const genie_plan_t *plan, genie_plan_range_t *ranges, uint32_t *owners) {
  GENIE_RETURN_IF_ERROR(genie_plan_verify_exprs(plan, ranges));
  GENIE_RETURN_IF_ERROR(genie_plan_verify_records(plan, ranges, owners));
  GENIE_RETURN_IF_ERROR(genie_plan_verify_instructions(plan, ranges, owners));
  return genie_plan_verify_schedule(plan);
}

genie_status_t genie_plan_verify(const genie_plan_t *plan) {
  GENIE_RETURN_IF_ERROR(check_counts(plan));
  void *ranges = NULL;
  void *owners = NULL;
  genie_status_t status = genie_allocator_allocate_array(plan->allocator, plan->expr_count + (size_t)1,
                                                         sizeof(genie_plan_range_t), &ranges);
  if (status == GENIE_OK) {
    status = genie_allocator_allocate_array(plan->allocator, plan->tensor_count + (size_t)1, sizeof(uint32_t), &owners);
  }
  if (status == GENIE_OK) {
    status = verify_with(plan, ranges, owners);
  }
  genie_allocator_free(plan->allocator, owners);
  genie_allocator_free(plan->allocator, ranges);
  return status;
}
