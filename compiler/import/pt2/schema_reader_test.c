#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/archive_fixture.h"
#include "compiler/import/pt2/bounded_json.h"
#include "compiler/import/pt2/exported_program.h"

#include <cmocka.h>

#define META "{\"dtype\": 7, \"sizes\": [{\"as_int\": 2}], \"strides\": [{\"as_int\": 1}], \"layout\": 7}"

// A program of one input, one node whose argument `extra` is `arg`, and one output.
static char *program_text(const char *arg, int major) {
  char *text;
  const int length = asprintf(
      &text,
      "{\"schema_version\": {\"major\": %d, \"minor\": 20}, \"torch_version\": \"2.13.0\", \"unknown_key\": 1,"
      " \"range_constraints\": {\"s0\": {\"min_val\": 2, \"max_val\": null}}, \"graph_module\": {"
      "\"graph\": {\"inputs\": [{\"as_tensor\": {\"name\": \"x\"}}], \"outputs\": [{\"as_tensor\": {\"name\": \"y\"}}],"
      "\"nodes\": [{\"target\": \"torch.ops.aten.relu.default\", \"inputs\": [{\"name\": \"self\", \"arg\": "
      "{\"as_tensor\": {\"name\": \"x\"}}, \"kind\": 1}, {\"name\": \"extra\", \"arg\": %s, \"kind\": 2}],"
      "\"outputs\": [{\"as_tensor\": {\"name\": \"y\"}}], \"metadata\": {\"stack_trace\": \"trace\"}}],"
      "\"tensor_values\": {\"x\": " META ", \"y\": " META
      "}, \"sym_int_values\": {}},"
      "\"signature\": {\"input_specs\": [{\"user_input\": {\"arg\": {\"as_tensor\": {\"name\": \"x\"}}}}],"
      "\"output_specs\": [{\"user_output\": {\"arg\": {\"as_tensor\": {\"name\": \"y\"}}}}]}}}",
      major, arg);
  assert_true(length > 0);
  return text;
}

// The program whose node has the argument `arg`; the caller deinitialises it.
static genie_status_t read_with(const char *arg, int major, genie_pt2_program_t *out_program) {
  char *text = program_text(arg, major);
  char *path = genie_pt2_fixture_write_model(text, NULL, NULL, 0);
  const genie_status_t status = genie_pt2_program_read(path, out_program);
  genie_pt2_fixture_remove(path);
  free(text);
  return status;
}

static void expect_refusal(genie_status_t status, genie_status_code_t code, const char *text) {
  assert_int_equal(genie_status_code(status), code);
  if (strstr(genie_status_message(status), text) == NULL) {
    fail_msg("'%s' lacks '%s'", genie_status_message(status), text);
  }
  genie_status_free(status);
}

static void test_a_program_is_read(void **state) {
  (void)state;
  genie_pt2_program_t program;
  assert_int_equal(read_with("{\"as_none\": true}", 8, &program), GENIE_OK);
  assert_int_equal(program.graph.node_count, 1);
  assert_string_equal(program.graph.nodes[0].target, "torch.ops.aten.relu.default");
  assert_string_equal(program.graph.nodes[0].stack_trace, "trace");
  assert_true(program.graph.nodes[0].inputs[1].is_keyword);
  const genie_pt2_tensor_meta_t *meta = genie_pt2_graph_tensor(&program.graph, "y");
  assert_non_null(meta);
  assert_int_equal(meta->sizes[0].value, 2);
  assert_null(genie_pt2_graph_tensor(&program.graph, "z"));
  assert_int_equal(program.range_count, 1);
  assert_false(program.ranges[0].has_maximum);
  genie_pt2_program_deinit(&program);
}

static genie_pt2_arg_t argument(const char *text, genie_pt2_program_t *out_program) {
  const genie_status_t status = read_with(text, 8, out_program);
  if (status != GENIE_OK) {
    fail_msg("%s", genie_status_message(status));
  }
  return out_program->graph.nodes[0].inputs[1].arg;
}

static void test_every_kind_of_argument_is_read(void **state) {
  (void)state;
  genie_pt2_program_t program;
  assert_int_equal(argument("{\"as_int\": -3}", &program).integer, -3);
  genie_pt2_program_deinit(&program);
  assert_true(isinf(argument("{\"as_float\": \"-Infinity\"}", &program).number));
  genie_pt2_program_deinit(&program);
  assert_int_equal(argument("{\"as_bool\": true}", &program).integer, 1);
  genie_pt2_program_deinit(&program);
  genie_pt2_arg_t arg = argument("{\"as_sym_ints\": [{\"as_name\": \"s\"}, {\"as_int\": 5}]}", &program);
  assert_int_equal(arg.kind, GENIE_PT2_LIST);
  assert_int_equal(arg.items[0].kind, GENIE_PT2_SYM_INT);
  assert_string_equal(arg.items[0].text, "s");
  assert_int_equal(arg.items[1].integer, 5);
  genie_pt2_program_deinit(&program);
  arg = argument("{\"as_optional_tensors\": [{\"as_none\": true}, {\"as_tensor\": {\"name\": \"x\"}}]}", &program);
  assert_int_equal(arg.items[0].kind, GENIE_PT2_NONE);
  assert_int_equal(arg.items[1].kind, GENIE_PT2_TENSOR);
  genie_pt2_program_deinit(&program);
  assert_int_equal(argument("{\"as_float_lists\": [[1.5], []]}", &program).items[0].items[0].kind, GENIE_PT2_FLOAT);
  genie_pt2_program_deinit(&program);
}

static void test_unknown_arguments_and_versions_are_refused(void **state) {
  (void)state;
  genie_pt2_program_t program;
  expect_refusal(read_with("{\"as_future\": 1}", 8, &program), GENIE_STATUS_UNIMPLEMENTED, "as_future");
  expect_refusal(read_with("{\"as_int\": 1, \"as_bool\": true}", 8, &program), GENIE_STATUS_INVALID_ARGUMENT, "union");
  expect_refusal(read_with("{\"as_int\": 1.5}", 8, &program), GENIE_STATUS_INVALID_ARGUMENT, "as_int");
  expect_refusal(read_with("7", 8, &program), GENIE_STATUS_INVALID_ARGUMENT, "relu");
  expect_refusal(read_with("{\"as_none\": true}", 9, &program), GENIE_STATUS_UNIMPLEMENTED, "schema 9");
}

static void test_malformed_documents_are_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "[]",
                                      "{",
                                      "{\"schema_version\": {\"major\": \"8\"}}",
                                      "{\"schema_version\": {\"major\": 8}}",
                                      "{\"schema_version\": {\"major\": 8}, \"graph_module\": []}"};
  for (size_t i = 1; i < sizeof texts / sizeof texts[0]; ++i) {
    char *path = genie_pt2_fixture_write_model(texts[i], NULL, NULL, 0);
    genie_pt2_program_t program;
    const genie_status_t status = genie_pt2_program_read(path, &program);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(genie_status_message(status), path));
    genie_status_free(status);
    genie_pt2_fixture_remove(path);
  }
}

static void test_a_bomb_of_json_is_refused_before_it_is_parsed(void **state) {
  (void)state;
  char *text = malloc(4096);
  memset(text, '[', 4096);
  json_t *root;
  expect_refusal(genie_json_parse("bomb", text, 4096, &root), GENIE_STATUS_OUT_OF_RANGE, "nested");
  free(text);
  const size_t length = 3 * ((size_t)GENIE_JSON_MAX_VALUES + 2);
  text = malloc(length);
  for (size_t i = 0; i < length; i += 3) {
    memcpy(text + i, "[],", 3);
  }
  expect_refusal(genie_json_parse("bomb", text, length, &root), GENIE_STATUS_OUT_OF_RANGE, "values");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_program_is_read),
      cmocka_unit_test(test_every_kind_of_argument_is_read),
      cmocka_unit_test(test_unknown_arguments_and_versions_are_refused),
      cmocka_unit_test(test_malformed_documents_are_refused),
      cmocka_unit_test(test_a_bomb_of_json_is_refused_before_it_is_parsed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
