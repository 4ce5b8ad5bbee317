// Constants are computed as PyTorch would, and large weights at the speed of memory.
#include "ir/evaluate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

// A function whose arguments are weights, and what its last op returns.
typedef struct fixture {
  MlirContext context;
  MlirModule module;
  MlirValue result;
  genie_host_tensor_t weight;
} fixture_t;

static fixture_t parse(const char *text) {
  fixture_t fixture = {.context = genie_ir_context_create()};
  fixture.module = mlirModuleCreateParse(fixture.context, mlirStringRefCreateFromCString(text));
  assert_false(mlirModuleIsNull(fixture.module));
  const MlirOperation function = mlirBlockGetFirstOperation(mlirModuleGetBody(fixture.module));
  const MlirBlock block = mlirRegionGetFirstBlock(mlirOperationGetRegion(function, 0));
  fixture.result = mlirOperationGetOperand(mlirBlockGetTerminator(block), 0);
  return fixture;
}

static genie_status_t load_weight(void *self, MlirStringRef name, genie_host_tensor_t *out_tensor) {
  (void)name;
  *out_tensor = ((fixture_t *)self)->weight;
  return GENIE_OK;
}

static genie_host_tensor_t evaluate(fixture_t *fixture) {
  const genie_evaluator_t evaluator = {
      .allocator = genie_allocator_heap(), .self = fixture, .load_weight = load_weight};
  genie_host_tensor_t tensor = {0};
  assert_true(genie_ir_is_compile_time(fixture->result));
  const genie_status_t status = genie_evaluate(&evaluator, fixture->result, &tensor);
  assert_string_equal(genie_status_message(status), "");
  return tensor;
}

static void destroy(fixture_t *fixture) {
  mlirModuleDestroy(fixture->module);
  mlirContextDestroy(fixture->context);
}

static void assert_floats(const genie_host_tensor_t *tensor, int count, const float *expected) {
  assert_int_equal(genie_host_tensor_count(tensor), count);
  for (int i = 0; i < count; ++i) {
    assert_true(fabsf(((const float *)tensor->data)[i] - expected[i]) <= 1e-6f * fabsf(expected[i]));
  }
}

static void broadcasts_and_casts(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f() -> tensor<2x3xf32> {\n"
      "  %0 = genie.constant dense<[[1], [2]]> : tensor<2x1xi64>\n"
      "  %1 = genie.cast %0 : (tensor<2x1xi64>) -> tensor<2x1xbf16>\n"
      "  %2 = genie.constant dense<[0.5, 1.0, -3.0]> : tensor<3xbf16>\n"
      "  %3 = genie.mul %1, %2 : (tensor<2x1xbf16>, tensor<3xbf16>) -> tensor<2x3xbf16>\n"
      "  %4 = genie.cast %3 : (tensor<2x3xbf16>) -> tensor<2x3xf32>\n"
      "  %5 = genie.constant dense<0.0> : tensor<f32>\n"
      "  %6 = genie.lt %4, %5 : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xi1>\n"
      "  %7 = genie.exp %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>\n"
      "  %8 = genie.where %6, %5, %7 : (tensor<2x3xi1>, tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>\n"
      "  return %8 : tensor<2x3xf32>\n}\n");
  genie_host_tensor_t tensor = evaluate(&fixture);
  const float expected[] = {expf(0.5f), expf(1), 0, expf(1), expf(2), 0};
  assert_floats(&tensor, 6, expected);
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  destroy(&fixture);
}

static void views_move_elements(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f() -> tensor<2x4xf32> {\n"
      "  %0 = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<6xf32>\n"
      "  %1 = genie.reshape %0 : (tensor<6xf32>) -> tensor<2x3xf32>\n"
      "  %2 = genie.permute %1 {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>\n"
      "  %3 = genie.slice %2 {axis = 0 : i64, start = affine_map<() -> (0)>, step = 2 : i64} : (tensor<3x2xf32>) -> "
      "tensor<2x2xf32>\n"
      "  %4 = genie.flip %3 {axes = array<i64: 1>} : (tensor<2x2xf32>) -> tensor<2x2xf32>\n"
      "  %5 = genie.pad %4 {low = array<i64: 0, 1>, high = array<i64: 0, -1>, value = 9.0 : f64} : (tensor<2x2xf32>) "
      "-> tensor<2x2xf32>\n"
      "  %6 = genie.concat %5, %3 {axis = 1 : i64} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>\n"
      "  return %6 : tensor<2x4xf32>\n}\n");
  genie_host_tensor_t tensor = evaluate(&fixture);
  const float expected[] = {9, 3, 0, 3, 9, 5, 2, 5};
  assert_floats(&tensor, 8, expected);
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  destroy(&fixture);
}

static void reductions_and_products(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f() -> tensor<2x2xf32> {\n"
      "  %0 = genie.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>\n"
      "  %1 = genie.linear %0, %0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>\n"
      "  %2 = genie.mean %0 {axes = array<i64: 1>, keepdim = true} : (tensor<2x3xf32>) -> tensor<2x1xf32>\n"
      "  %3 = genie.constant dense<[1, 0]> : tensor<2xi64>\n"
      "  %4 = genie.take %2, %3 {axis = 0 : i64} : (tensor<2x1xf32>, tensor<2xi64>) -> tensor<2x1xf32>\n"
      "  %5 = genie.sub %1, %4 : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>\n"
      "  return %5 : tensor<2x2xf32>\n}\n");
  genie_host_tensor_t tensor = evaluate(&fixture);
  const float expected[] = {14 - 5, 32 - 5, 32 - 2, 77 - 2};
  assert_floats(&tensor, 4, expected);
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  destroy(&fixture);
}

static void integers_follow_python(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f() -> tensor<4xi64> {\n"
      "  %0 = genie.constant dense<[-7, 7, -7, 7]> : tensor<4xi64>\n"
      "  %1 = genie.constant dense<[2, -2, -2, 2]> : tensor<4xi64>\n"
      "  %2 = genie.floor_divide %0, %1 : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>\n"
      "  %3 = genie.remainder %0, %1 : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>\n"
      "  %4 = genie.constant dense<100> : tensor<i64>\n"
      "  %5 = genie.mul %2, %4 : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>\n"
      "  %6 = genie.add %5, %3 : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>\n"
      "  return %6 : tensor<4xi64>\n}\n");
  genie_host_tensor_t tensor = evaluate(&fixture);
  const int64_t expected[] = {-399, -401, 299, 301};
  assert_memory_equal(tensor.data, expected, sizeof(expected));
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  destroy(&fixture);
}

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// 64 MiB through a transpose, a product with a scale and the packing of a gemm.
static void large_weights_take_little_time(void **state) {
  (void)state;
  fixture_t fixture = parse(
      "func.func @f(%w: tensor<4096x4096xf32> {genie.weight = @w}) -> tensor<128x4096x32xf32> {\n"
      "  %0 = genie.permute %w {permutation = array<i64: 1, 0>} : (tensor<4096x4096xf32>) -> tensor<4096x4096xf32>\n"
      "  %1 = genie.constant dense<2.0> : tensor<f32>\n"
      "  %2 = genie.mul %0, %1 : (tensor<4096x4096xf32>, tensor<f32>) -> tensor<4096x4096xf32>\n"
      "  %3 = genie.pack %2 {format = \"panel_n\", width = 32 : i64} : (tensor<4096x4096xf32>) -> "
      "tensor<128x4096x32xf32>\n"
      "  return %3 : tensor<128x4096x32xf32>\n}\n"
      "genie.weight @w {file = \"w\", offset = 0 : i64, strides = array<i64: 4096, 1>} : tensor<4096x4096xf32>\n");
  fixture.weight = (genie_host_tensor_t){.dtype = GENIE_DTYPE_F32, .rank = 2, .dims = {4096, 4096}};
  const size_t count = (size_t)4096 * 4096;
  assert_true(genie_allocator_allocate_array(genie_allocator_heap(), count, sizeof(float), &fixture.weight.data) ==
              GENIE_OK);
  float *weight = fixture.weight.data;
  for (size_t i = 0; i < count; ++i) {
    weight[i] = (float)(i % 1024);
  }
  const double start = seconds();
  genie_host_tensor_t tensor = evaluate(&fixture);
  print_message("three passes over 64 MiB: %.3f s\n", seconds() - start);
  // Panel 1, k = 5, lane 3: row n = 35 of the transposed weight, so column 35 of row 5.
  assert_true(((const float *)tensor.data)[(1 * 4096 + 5) * 32 + 3] == 2 * weight[5 * 4096 + 35]);
  genie_host_tensor_deinit(genie_allocator_heap(), &tensor);
  genie_allocator_free(genie_allocator_heap(), weight);
  destroy(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(broadcasts_and_casts),           cmocka_unit_test(views_move_elements),
      cmocka_unit_test(reductions_and_products),        cmocka_unit_test(integers_follow_python),
      cmocka_unit_test(large_weights_take_little_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
