#include "tools/genie/element.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "tools/genie/comparison.h"

#include <cmocka.h>

// ---- Elements ----

static void assert_prints(genie_dtype_t dtype, const void *data, const char *expected) {
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_element_print(dtype, data, 0, &text);
  assert_string_equal(genie_string_builder_get(&text), expected);
  genie_string_builder_deinit(&text);
}

static void test_text_becomes_the_nearest_element(void **state) {
  (void)state;
  static const struct {
    genie_dtype_t dtype;
    const char *text;
    const char *printed;
  } kCases[] = {
      {GENIE_DTYPE_F32, "0.1", "0.1"},
      {GENIE_DTYPE_F32, "16777217", "16777216"},
      {GENIE_DTYPE_F64, "0.1", "0.1"},
      {GENIE_DTYPE_F16, "0.1", "0.1"},
      {GENIE_DTYPE_F16, "1e9", "inf"},
      {GENIE_DTYPE_BF16, "1.00390625", "1"},      // a tie goes to the even neighbour
      {GENIE_DTYPE_BF16, "1.01171875", "1.016"},  // and here the even one is above
      {GENIE_DTYPE_BF16, "nan", "nan"},
      {GENIE_DTYPE_I64, "-9223372036854775808", "-9223372036854775808"},
      {GENIE_DTYPE_I64, "9007199254740993", "9007199254740993"},
      {GENIE_DTYPE_U8, "255", "255"},
      {GENIE_DTYPE_I8, "-128", "-128"},
      {GENIE_DTYPE_BOOL, "true", "1"},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    uint64_t element = 0;
    assert_true(genie_element_parse(kCases[i].dtype, kCases[i].text, strlen(kCases[i].text), &element, 0));
    assert_prints(kCases[i].dtype, &element, kCases[i].printed);
  }
}

static void test_text_that_is_no_element_is_refused(void **state) {
  (void)state;
  static const struct {
    genie_dtype_t dtype;
    const char *text;
  } kCases[] = {
      {GENIE_DTYPE_F32, ""},      {GENIE_DTYPE_F32, "1x"}, {GENIE_DTYPE_I32, "1.5"},
      {GENIE_DTYPE_I32, "x"},     {GENIE_DTYPE_U8, "256"}, {GENIE_DTYPE_U8, "-1"},
      {GENIE_DTYPE_I8, "128"},    {GENIE_DTYPE_BOOL, "2"}, {GENIE_DTYPE_I64, "9223372036854775808"},
      {GENIE_DTYPE_I16, "32768"},
  };
  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    uint64_t element = 0;
    assert_false(genie_element_parse(kCases[i].dtype, kCases[i].text, strlen(kCases[i].text), &element, 0));
  }
}

// ---- Comparisons ----

static genie_comparison_t compare(float actual[4], float expected[4], double rtol, double atol) {
  const genie_tensor_t a = {.data = actual, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
  const genie_tensor_t b = {.data = expected, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
  return genie_comparison_make(&a, &b, rtol, atol);
}

static void test_the_tolerance_is_relative_to_the_largest_value(void **state) {
  (void)state;
  float expected[4] = {0, 1, -100, 2};
  float actual[4] = {0.0009f, 1, -100, 2};
  assert_true(compare(actual, expected, -1, 0).is_equal);
  actual[1] = 1.5f;
  const genie_comparison_t comparison = compare(actual, expected, -1, 0);
  assert_false(comparison.is_equal);
  assert_int_equal(comparison.worst, 1);
  assert_int_equal(comparison.mismatch_count, 1);
  assert_true(comparison.difference == 0.5 && comparison.largest == 100);
  assert_true(compare(actual, expected, 0, 0.5).is_equal);
  assert_false(compare(actual, expected, 0, 0.4).is_equal);
}

static void test_what_is_no_number_agrees_with_itself_only(void **state) {
  (void)state;
  float expected[4] = {NAN, INFINITY, -INFINITY, 1};
  float same[4] = {NAN, INFINITY, -INFINITY, 1};
  assert_true(compare(same, expected, 0, 0).is_equal);
  float other_sign[4] = {NAN, INFINITY, INFINITY, 1};
  assert_false(compare(other_sign, expected, 1e9, 1e9).is_equal);
  float number[4] = {0, INFINITY, -INFINITY, 1};
  assert_false(compare(number, expected, 1e9, 1e9).is_equal);
  float no_number[4] = {NAN, INFINITY, -INFINITY, NAN};
  assert_int_equal(compare(no_number, expected, 1e9, 1e9).worst, 3);
}

static void test_another_type_is_never_equal(void **state) {
  (void)state;
  float values[4] = {0};
  const genie_tensor_t a = {.data = values, .dtype = GENIE_DTYPE_F32, .rank = 1, .shape = {4}};
  const genie_tensor_t reshaped = {.data = values, .dtype = GENIE_DTYPE_F32, .rank = 2, .shape = {2, 2}};
  const genie_tensor_t retyped = {.data = values, .dtype = GENIE_DTYPE_I32, .rank = 1, .shape = {4}};
  assert_false(genie_comparison_make(&a, &reshaped, 1, 1).is_equal);
  assert_false(genie_comparison_make(&a, &retyped, 1, 1).has_same_type);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_text_becomes_the_nearest_element),
      cmocka_unit_test(test_text_that_is_no_element_is_refused),
      cmocka_unit_test(test_the_tolerance_is_relative_to_the_largest_value),
      cmocka_unit_test(test_what_is_no_number_agrees_with_itself_only),
      cmocka_unit_test(test_another_type_is_never_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
