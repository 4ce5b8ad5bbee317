// Limits hold for each client and for all together, and what is returned can be charged again.
#include "remote_exec/daemon/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static genie_budget_t *make_budget(uint64_t total, uint64_t client) {
  genie_budget_t *budget = NULL;
  const genie_budget_limits_t limits = {.total = {[GENIE_BUDGET_MEMORY] = total},
                                        .client = {[GENIE_BUDGET_MEMORY] = client}};
  assert_int_equal(genie_budget_create(&limits, genie_allocator_heap(), &budget), GENIE_OK);
  return budget;
}

static void assert_refused(genie_budget_t *budget, const char *client, uint64_t amount, const char *option) {
  const genie_status_t status = genie_budget_charge(budget, client, GENIE_BUDGET_MEMORY, amount);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
  assert_non_null(strstr(genie_status_message(status), option));
  genie_status_free(status);
}

static void charge(genie_budget_t *budget, const char *client, uint64_t amount) {
  assert_int_equal(genie_budget_charge(budget, client, GENIE_BUDGET_MEMORY, amount), GENIE_OK);
}

static void test_a_client_has_its_own_limit(void **state) {
  (void)state;
  genie_budget_t *budget = make_budget(100, 60);
  charge(budget, "a", 60);
  assert_refused(budget, "a", 1, "--client-memory-limit");
  charge(budget, "b", 40);
  genie_budget_destroy(budget);
}

static void test_all_clients_have_one_limit(void **state) {
  (void)state;
  genie_budget_t *budget = make_budget(100, 60);
  charge(budget, "a", 60);
  assert_refused(budget, "b", 41, "(--memory-limit)");
  genie_budget_destroy(budget);
}

static void test_what_is_returned_can_be_charged_again(void **state) {
  (void)state;
  genie_budget_t *budget = make_budget(100, 100);
  for (int i = 0; i < 3; ++i) {
    charge(budget, "a", 70);
    genie_budget_return(budget, "a", GENIE_BUDGET_MEMORY, 70);
  }
  assert_int_equal(genie_budget_used(budget, GENIE_BUDGET_MEMORY), 0);
  genie_budget_destroy(budget);
}

static void test_amounts_do_not_wrap_around(void **state) {
  (void)state;
  genie_budget_t *budget = make_budget(UINT64_MAX, UINT64_MAX);
  charge(budget, "a", 10);
  assert_refused(budget, "a", UINT64_MAX, "memory-limit");
  genie_budget_destroy(budget);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_client_has_its_own_limit),
      cmocka_unit_test(test_all_clients_have_one_limit),
      cmocka_unit_test(test_what_is_returned_can_be_charged_again),
      cmocka_unit_test(test_amounts_do_not_wrap_around),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
