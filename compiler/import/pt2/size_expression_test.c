#include "compiler/import/pt2/size_expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S0 "Symbol('s0', positive=True, integer=True)"
#define S1 "Symbol('s1', integer=True)"

static MlirContext context;
static genie_pt2_symbols_t symbols;

static MlirAffineExpr parsed(const char *text) {
  MlirAffineExpr size;
  const genie_status_t status = genie_pt2_size_parse(context, text, true, &symbols, &size);
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
  return size;
}

static void expect_refusal(const char *text, genie_status_code_t code) {
  MlirAffineExpr size;
  const genie_status_t status = genie_pt2_size_parse(context, text, true, &symbols, &size);
  assert_int_equal(genie_status_code(status), code);
  genie_status_free(status);
}

static void test_expressions_become_affine(void **state) {
  (void)state;
  symbols = (genie_pt2_symbols_t){0};
  const MlirAffineExpr s0 = parsed(S0), s1 = parsed(S1);
  assert_int_equal(symbols.count, 2);
  assert_string_equal(symbols.items[1].name, "s1");
  assert_true(genie_dim_equal(s1, genie_dim_symbol(context, 1)));
  assert_int_equal(genie_dim_value(parsed("Integer(-7)")), -7);
  assert_true(genie_dim_equal(parsed("Mul(Integer(4), " S0 ")"), genie_dim_mul(s0, genie_dim_constant(context, 4))));
  assert_true(genie_dim_equal(parsed("Add(" S0 ", " S1 ", Integer(-1))"),
                              genie_dim_add(genie_dim_add(s0, s1), genie_dim_constant(context, -1))));
  assert_true(genie_dim_equal(parsed("FloorDiv(Add(" S0 ", Integer(1)), Integer(2))"),
                              genie_dim_floor_div(genie_dim_add(s0, genie_dim_constant(context, 1)), 2)));
  assert_true(genie_dim_equal(parsed("Pow(" S0 ", Integer(2))"), genie_dim_mul(s0, s0)));
  assert_true(genie_dim_equal(parsed("Mul(" S1 ", " S0 ")"), genie_dim_mul(s0, s1)));
}

static void test_what_no_type_can_hold_is_named(void **state) {
  (void)state;
  expect_refusal("Max(Integer(1), " S0 ")", GENIE_STATUS_UNIMPLEMENTED);
  expect_refusal("FloorDiv(" S0 ", " S1 ")", GENIE_STATUS_UNIMPLEMENTED);
  expect_refusal("Pow(" S0 ", Integer(-1))", GENIE_STATUS_UNIMPLEMENTED);
  symbols = (genie_pt2_symbols_t){0};
  MlirAffineExpr size;
  const genie_status_t status = genie_pt2_size_parse(context, "Symbol('u0', integer=True)", false, &symbols, &size);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_UNIMPLEMENTED);
  genie_status_free(status);
}

static void test_malformed_text_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "(",
                                      "Integer",
                                      "Integer()",
                                      "Integer(3",
                                      "Integer(99999999999999999999)",
                                      "Symbol(s0)",
                                      "Symbol('s0'",
                                      "Symbol('s0', x)",
                                      "Add()",
                                      "Add(Integer(1),)",
                                      "Integer(1) Integer(2)",
                                      "Symbol('a_name_that_is_much_longer_than_any_symbol')"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i) {
    expect_refusal(texts[i], GENIE_STATUS_INVALID_ARGUMENT);
  }
}

static void test_depth_is_bounded(void **state) {
  (void)state;
  char text[8192] = "";
  for (int i = 0; i < 1000; ++i) {
    memcpy(text + (size_t)4 * (size_t)i, "Add(", 5);
  }
  expect_refusal(text, GENIE_STATUS_INVALID_ARGUMENT);
}

int main(void) {
  context = genie_ir_context_create();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expressions_become_affine),
      cmocka_unit_test(test_what_no_type_can_hold_is_named),
      cmocka_unit_test(test_malformed_text_is_refused),
      cmocka_unit_test(test_depth_is_bounded),
  };
  const int result = cmocka_run_group_tests(tests, NULL, NULL);
  mlirContextDestroy(context);
  return result;
}
