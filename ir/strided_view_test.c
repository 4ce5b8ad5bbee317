// The view chains that models have, and those that no strides describe.
#include "ir/strided_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// Parses a function whose last op's operand 0 is looked at.
typedef struct fixture {
  MlirContext context;
  MlirModule module;
  MlirValue argument, result;
} fixture_t;

static fixture_t parse(const char *text) {
  fixture_t fixture = {.context = genie_ir_context_create()};
  fixture.module = mlirModuleCreateParse(fixture.context, mlirStringRefCreateFromCString(text));
  assert_false(mlirModuleIsNull(fixture.module));
  const MlirOperation function = mlirBlockGetFirstOperation(mlirModuleGetBody(fixture.module));
  const MlirBlock block = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
  fixture.argument = mlirBlockGetArgument(block, 0);
  fixture.result = mlirOperationGetOperand(mlirBlockGetTerminator(block), 0);
  return fixture;
}

static void destroy(fixture_t *fixture) {
  mlirModuleDestroy(fixture->module);
  mlirContextDestroy(fixture->context);
}

static void append(MlirStringRef part, void *user_data) {
  char *text = user_data;
  strncat(text, part.data, part.length);
}

// "offset: strides", as in "s0 * 4: s0 * 8, 1".
static void assert_view(const genie_strided_view_t *view, const char *expected) {
  char text[512] = "";
  mlirAffineExprPrint(view->offset, append, text);
  for (int i = 0; i < view->rank; ++i) {
    strcat(text, i == 0 ? ": " : ", ");
    mlirAffineExprPrint(view->strides[i], append, text);
  }
  assert_string_equal(text, expected);
}

#define BS(dims, ...) "tensor<" dims "xf32, affine_map<()[s0, s1] -> (" __VA_ARGS__ ")>>"

static void heads_of_a_projection(void **state) {
  (void)state;
  fixture_t fixture = parse("func.func @f(%x: " BS("?x?x384", "s0, s1, 384") ") -> " BS("?x12x?x32", "s0, 12, s1, 32") " {\n"
                            "  %0 = genie.reshape %x : (" BS("?x?x384", "s0, s1, 384") ") -> " BS("?x?x12x32", "s0, s1, 12, 32") "\n"
                            "  %1 = genie.permute %0 {permutation = array<i64: 0, 2, 1, 3>} : (" BS("?x?x12x32", "s0, s1, 12, 32") ") -> " BS("?x12x?x32", "s0, 12, s1, 32") "\n"
                            "  return %1 : " BS("?x12x?x32", "s0, 12, s1, 32") "\n}\n");
  genie_strided_view_t view;
  assert_true(genie_strided_view_of(fixture.result, NULL, &view));
  assert_true(mlirValueEqual(view.root, fixture.argument));
  assert_view(&view, "0: s1 * 384, 32, 384, 1");
  // Storing through the same chain is none: the heads of a row lie apart in the result.
  assert_false(genie_strided_view_into(fixture.argument, fixture.result, NULL, &view));
  destroy(&fixture);
}

// Storing [B, H, S, E] as [B, S, H * E], as attention does.
static void heads_are_stored_joined(void **state) {
  (void)state;
  fixture_t fixture = parse("func.func @f(%x: " BS("?x12x?x32", "s0, 12, s1, 32") ") -> " BS("?x?x384", "s0, s1, 384") " {\n"
                            "  %0 = genie.permute %x {permutation = array<i64: 0, 2, 1, 3>} : (" BS("?x12x?x32", "s0, 12, s1, 32") ") -> " BS("?x?x12x32", "s0, s1, 12, 32") "\n"
                            "  %1 = genie.reshape %0 : (" BS("?x?x12x32", "s0, s1, 12, 32") ") -> " BS("?x?x384", "s0, s1, 384") "\n"
                            "  return %1 : " BS("?x?x384", "s0, s1, 384") "\n}\n");
  genie_strided_view_t view;
  assert_true(genie_strided_view_into(fixture.argument, fixture.result, NULL, &view));
  assert_view(&view, "0: s1 * 384, 32, 384, 1");
  // Reading through the same chain is a copy: the permuted dimensions do not merge.
  assert_false(genie_strided_view_of(fixture.result, NULL, &view));
  destroy(&fixture);
}

// The value part of a joined qkv projection, and a batch dimension folded away.
static void slice_of_qkv(void **state) {
  (void)state;
  fixture_t fixture = parse("func.func @f(%x: " BS("?x?x36", "s0, s1, 36") ") -> " BS("?x3x4", "s0 * s1, 3, 4") " {\n"
                            "  %0 = genie.slice %x {axis = 2 : i64, start = affine_map<() -> (24)>} : (" BS("?x?x36", "s0, s1, 36") ") -> " BS("?x?x12", "s0, s1, 12") "\n"
                            "  %1 = genie.reshape %0 : (" BS("?x?x12", "s0, s1, 12") ") -> " BS("?x3x4", "s0 * s1, 3, 4") "\n"
                            "  return %1 : " BS("?x3x4", "s0 * s1, 3, 4") "\n}\n");
  genie_strided_view_t view;
  assert_true(genie_strided_view_of(fixture.result, NULL, &view));
  assert_view(&view, "24: 36, 4, 1");
  destroy(&fixture);
}

// Grouped keys repeated over queries: stride 0.
static void expanded_heads(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f(%x: tensor<1x2x5x8xf32>) -> tensor<1x2x3x5x8xf32> {\n"
      "  %0 = genie.reshape %x : (tensor<1x2x5x8xf32>) -> tensor<1x2x1x5x8xf32>\n"
      "  %1 = genie.expand %0 : (tensor<1x2x1x5x8xf32>) -> tensor<1x2x3x5x8xf32>\n"
      "  return %1 : tensor<1x2x3x5x8xf32>\n}\n");
  genie_strided_view_t view;
  assert_true(genie_strided_view_of(fixture.result, NULL, &view));
  assert_view(&view, "0: 0, 40, 0, 8, 1");
  destroy(&fixture);
}

static void steps_and_dynamic_starts(void **state) {
  (void)state;
  fixture_t fixture = parse("func.func @f(%x: " BS("?x?x8", "s0, s1, 8") ") -> tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>\n"
                            "    attributes {genie.symbols = [{name = \"s0\", min = 1, max = 8, multiple = 1}, {name = \"s1\", min = 1, max = 8, multiple = 1}]} {\n"
                            "  %0 = genie.slice %x {axis = 1 : i64, start = affine_map<()[s0, s1] -> (s1 - 1)>} : (" BS("?x?x8", "s0, s1, 8") ") -> tensor<?x1x8xf32, affine_map<()[s0] -> (s0, 1, 8)>>\n"
                            "  %1 = genie.slice %0 {axis = 2 : i64, start = affine_map<() -> (1)>, step = 2 : i64} : (tensor<?x1x8xf32, affine_map<()[s0] -> (s0, 1, 8)>>) -> tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>\n"
                            "  %2 = genie.reshape %1 : (tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>\n"
                            "  %3 = genie.reshape %2 : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>\n"
                            "  %4 = genie.expand %3 : (tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>) -> tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>\n"
                            "  return %4 : tensor<?x1x4xf32, affine_map<()[s0] -> (s0, 1, 4)>>\n}\n");
  genie_strided_view_t view;
  assert_true(genie_strided_view_of(fixture.result, NULL, &view));
  assert_view(&view, "s1 * 8 - 7: s1 * 8, 0, 2");
  destroy(&fixture);
}

static void physical_layout_of_the_root(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f(%x: tensor<2x3x4x5xf32>) -> tensor<2x3x20xf32> {\n"
      "  %0 = genie.reshape %x : (tensor<2x3x4x5xf32>) -> tensor<2x3x20xf32>\n"
      "  return %0 : tensor<2x3x20xf32>\n}\n");
  const int64_t channels_last[] = {0, 2, 3, 1};
  genie_strided_view_t view;
  assert_true(genie_strided_view_of(fixture.result, channels_last, &view));
  assert_view(&view, "0: 60, 1, 3");
  destroy(&fixture);
}

static void transposed_then_flattened_is_a_copy(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f(%x: tensor<4x6xf32>) -> tensor<24xf32> {\n"
      "  %0 = genie.permute %x {permutation = array<i64: 1, 0>} : (tensor<4x6xf32>) -> tensor<6x4xf32>\n"
      "  %1 = genie.reshape %0 : (tensor<6x4xf32>) -> tensor<24xf32>\n"
      "  return %1 : tensor<24xf32>\n}\n");
  genie_strided_view_t view;
  assert_false(genie_strided_view_of(fixture.result, NULL, &view));
  destroy(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heads_of_a_projection),
      cmocka_unit_test(heads_are_stored_joined),
      cmocka_unit_test(slice_of_qkv),
      cmocka_unit_test(expanded_heads),
      cmocka_unit_test(steps_and_dynamic_starts),
      cmocka_unit_test(physical_layout_of_the_root),
      cmocka_unit_test(transposed_then_flattened_is_a_copy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
