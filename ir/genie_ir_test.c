// What the dialect promises to C: parse, verify, build, and read back.
#include "ir/genie_ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const mlp =
    "func.func @main(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = \"x\"},\n"
    "                %w: tensor<4x8xf32> {genie.weight = @w})\n"
    "    -> (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>> {genie.output = \"y\"})\n"
    "    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = \"s0\"}]} {\n"
    "  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<4x8xf32>)\n"
    "      -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>\n"
    "  return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>\n"
    "}\n"
    "genie.weight @w {file = \"w.bin\", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>\n";

static MlirModule parse(MlirContext context, const char *text) {
  return mlirModuleCreateParse(context, mlirStringRefCreateFromCString(text));
}

static MlirOperation first_op(MlirModule module) {
  return mlirBlockGetFirstOperation(mlirModuleGetBody(module));
}

static MlirBlock body_of(MlirOperation function) {
  return mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
}

static void parsed_module_verifies(void **state) {
  (void)state;
  const MlirContext context = genie_ir_context_create();
  const MlirModule module = parse(context, mlp);
  assert_false(mlirModuleIsNull(module));
  assert_true(genie_ir_verify(mlirModuleGetOperation(module)) == GENIE_OK);
  const MlirOperation linear = mlirBlockGetFirstOperation(body_of(first_op(module)));
  assert_true(genie_op_is(linear, "genie.linear"));
  assert_true(genie_op_has_rule(linear, "gemm"));
  assert_true(mlirValueIsNull(genie_ir_operand(linear, "bias")));
  assert_true(genie_ir_is_compile_time(genie_ir_operand(linear, "weight")));
  assert_false(genie_ir_is_compile_time(genie_ir_operand(linear, "x")));
  int64_t minimum = 0;
  int64_t maximum = 0;
  genie_dim_bounds(first_op(module), genie_value_type(genie_ir_operand(linear, "x")).dims[0], &minimum, &maximum);
  assert_int_equal(minimum, 1);
  assert_int_equal(maximum, 64);
  assert_true(genie_op_cost(linear).flops == 2.0 * 64 * 4 * 8);
  mlirModuleDestroy(module);
  mlirContextDestroy(context);
}

static void builder_infers_and_refuses(void **state) {
  (void)state;
  const MlirContext context = genie_ir_context_create();
  const MlirModule module = parse(context, mlp);
  const MlirOperation function = first_op(module);
  const MlirOperation linear = mlirBlockGetFirstOperation(body_of(function));
  const MlirValue x = genie_ir_operand(linear, "x");
  const genie_ir_builder_t builder = {
      .context = context,
      .block = body_of(function),
      .before = linear,
      .location = mlirLocationFileLineColGet(context, mlirStringRefCreateFromCString("model.py"), 7, 0)};
  MlirOperation norm = {NULL};
  const genie_ir_attribute_t attributes[] = {{"normalized_rank", genie_ir_i64_attr(context, 1)},
                                             {"eps", genie_ir_f64_attr(context, 1e-5)}};
  const MlirValue operands[] = {x, {NULL}, {NULL}};
  assert_true(genie_ir_build(&builder, "genie.layer_norm", 3, operands, 2, attributes, &norm) == GENIE_OK);
  assert_true(mlirTypeEqual(mlirValueGetType(mlirOperationGetResult(norm, 0)), mlirValueGetType(x)));
  assert_true(mlirValueIsNull(genie_ir_operand(norm, "bias")));
  assert_true(genie_ir_f64(norm, "eps") == 1e-5);

  const MlirValue wrong[] = {x, genie_ir_operand(linear, "weight")};
  MlirOperation add = {NULL};
  const genie_status_t status = genie_ir_build(&builder, "genie.add", 2, wrong, 0, NULL, &add);
  assert_string_equal(genie_status_message(status),
                      "model.py:7: genie.add: [s0, 8] f32 and [4, 8] f32 do not broadcast: size s0 of dimension 0 "
                      "against 4");
  genie_status_free(status);

  double number = 0;
  assert_true(genie_ir_splat_value(genie_ir_scalar(&builder, GENIE_DTYPE_BF16, 0.5), &number));
  assert_true(number == 0.5);
  assert_true(genie_ir_verify(mlirModuleGetOperation(module)) == GENIE_OK);
  mlirModuleDestroy(module);
  mlirContextDestroy(context);
}

static void sizes_are_equal_pointers(void **state) {
  (void)state;
  const MlirContext context = genie_ir_context_create();
  const MlirAffineExpr batch = genie_dim_symbol(context, 0);
  const MlirAffineExpr length = genie_dim_symbol(context, 1);
  const MlirAffineExpr two = genie_dim_constant(context, 2);
  assert_true(genie_dim_equal(genie_dim_mul(batch, length), genie_dim_mul(length, batch)));
  assert_true(genie_dim_equal(genie_dim_add(batch, genie_dim_add(length, batch)),
                              genie_dim_add(genie_dim_mul(batch, two), length)));
  assert_true(genie_dim_equal(genie_dim_mul(genie_dim_add(batch, two), length),
                              genie_dim_add(genie_dim_mul(length, two), genie_dim_mul(length, batch))));
  MlirAffineExpr quotient;
  const MlirAffineExpr wide = genie_dim_mul(genie_dim_mul(batch, length), genie_dim_constant(context, 384));
  assert_true(genie_dim_divide(wide, genie_dim_mul(batch, genie_dim_constant(context, 32)), &quotient));
  assert_true(genie_dim_equal(quotient, genie_dim_mul(length, genie_dim_constant(context, 12))));
  assert_false(genie_dim_divide(wide, genie_dim_constant(context, 7), &quotient));
  const MlirAffineExpr longer = genie_dim_add(length, two);
  assert_true(genie_dim_divide(genie_dim_mul(batch, longer), longer, &quotient));
  assert_true(genie_dim_equal(quotient, batch));
  mlirContextDestroy(context);
}

static void quotients_simplify(void **state) {
  (void)state;
  const MlirContext context = genie_ir_context_create();
  const MlirAffineExpr size = genie_dim_symbol(context, 0);
  const MlirAffineExpr four = genie_dim_constant(context, 4);
  const MlirAffineExpr three = genie_dim_constant(context, 3);
  assert_true(genie_dim_equal(genie_dim_floor_div(genie_dim_add(genie_dim_mul(size, four), three), 4), size));
  // Two layers of stride 2, as one quotient.
  const MlirAffineExpr one = genie_dim_constant(context, 1);
  const MlirAffineExpr half = genie_dim_floor_div(genie_dim_add(size, one), 2);
  const MlirAffineExpr quarter = genie_dim_floor_div(genie_dim_add(half, one), 2);
  assert_true(genie_dim_equal(quarter, genie_dim_floor_div(genie_dim_add(size, three), 4)));
  // a = 4 (a floordiv 4) + a mod 4 is not assumed; a mod 4 of a multiple is 0.
  assert_true(genie_dim_equal(genie_dim_simplify(mlirAffineModExprGet(genie_dim_mul(size, four), four)),
                              genie_dim_constant(context, 0)));
  mlirContextDestroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parsed_module_verifies),
      cmocka_unit_test(builder_infers_and_refuses),
      cmocka_unit_test(sizes_are_equal_pointers),
      cmocka_unit_test(quotients_simplify),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
