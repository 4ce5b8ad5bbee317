#include "runtime/base/config_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct options {
  bool is_json;
  const char *output;
  int64_t threads;
  double rtol;
  genie_config_list_t inputs;
  genie_config_list_t forms;
} options_t;

static const genie_config_option_t kOptions[] = {
    {.name = "--json", .kind = GENIE_CONFIG_FLAG, .offset = offsetof(options_t, is_json), .help = "print JSON"},
    {.name = "--output",
     .alias = "-o",
     .kind = GENIE_CONFIG_STRING,
     .offset = offsetof(options_t, output),
     .value = "FILE",
     .help = "where to write"},
    {.name = "--threads",
     .kind = GENIE_CONFIG_I64,
     .offset = offsetof(options_t, threads),
     .value = "N",
     .minimum = 1,
     .maximum = 64,
     .variable = "GENIE_CONFIG_TEST_THREADS",
     .help = "threads"},
    {.name = "--rtol",
     .kind = GENIE_CONFIG_F64,
     .offset = offsetof(options_t, rtol),
     .value = "X",
     .help = "tolerance"},
    {.name = "--input",
     .kind = GENIE_CONFIG_LIST,
     .offset = offsetof(options_t, inputs),
     .value = "NAME=VALUE",
     .help = "an input"},
    {.name = "--explain",
     .kind = GENIE_CONFIG_FORMS,
     .offset = offsetof(options_t, forms),
     .value = "FORM",
     .help = "explain in a form"},
};
static const genie_config_table_t kTable = {.options = kOptions,
                                            .option_count = sizeof(kOptions) / sizeof(kOptions[0]),
                                            .usage = "test FILE [OPTION...]",
                                            .minimum_positional = 1,
                                            .maximum_positional = 2};

typedef struct fixture {
  genie_arena_t arena;
  options_t options;
  genie_config_list_t positional;
} fixture_t;

static int set_up(void **state) {
  static fixture_t fixture;
  memset(&fixture, 0, sizeof(fixture));
  genie_arena_init(genie_allocator_heap(), 0, &fixture.arena);
  unsetenv("GENIE_CONFIG_TEST_THREADS");
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  genie_arena_deinit(&((fixture_t *)*state)->arena);
  return 0;
}

static genie_status_t parse(fixture_t *fixture, int argc, const char *const *argv) {
  return genie_config_parse(&kTable, argc, argv, &fixture->arena, &fixture->options, &fixture->positional);
}

#define PARSE(fixture, ...) \
  parse(fixture, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void assert_refused(genie_status_t status, const char *part) {
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  assert_non_null(strstr(genie_status_message(status), part));
  genie_status_free(status);
}

static void test_every_kind_is_stored(void **state) {
  fixture_t *fixture = *state;
  assert_int_equal(PARSE(fixture, "--json", "a.gplan", "-o", "x", "--threads=3", "--rtol", "1e-5", "--input", "a=1",
                         "--input=b=2", "--", "--b"),
                   GENIE_OK);
  assert_true(fixture->options.is_json);
  assert_string_equal(fixture->options.output, "x");
  assert_int_equal(fixture->options.threads, 3);
  assert_true(fixture->options.rtol == 1e-5);
  assert_int_equal(fixture->options.inputs.count, 2);
  assert_string_equal(fixture->options.inputs.values[1], "b=2");
  assert_int_equal(fixture->positional.count, 2);
  assert_string_equal(fixture->positional.values[1], "--b");
}

static void test_arguments_override_the_environment(void **state) {
  fixture_t *fixture = *state;
  setenv("GENIE_CONFIG_TEST_THREADS", "7", 1);
  assert_int_equal(PARSE(fixture, "a"), GENIE_OK);
  assert_int_equal(fixture->options.threads, 7);
  assert_int_equal(PARSE(fixture, "a", "--threads", "2"), GENIE_OK);
  assert_int_equal(fixture->options.threads, 2);
  setenv("GENIE_CONFIG_TEST_THREADS", "many", 1);
  assert_refused(PARSE(fixture, "a"), "GENIE_CONFIG_TEST_THREADS");
}

static void test_a_wrong_use_is_named(void **state) {
  fixture_t *fixture = *state;
  assert_refused(PARSE(fixture, "a", "--treads", "2"), "did you mean '--threads'");
  assert_refused(PARSE(fixture, "a", "--zzzzzzzz"), "unknown option '--zzzzzzzz'");
  assert_refused(PARSE(fixture, "a", "--threads", "0"), "from 1 to 64, not '0'");
  assert_refused(PARSE(fixture, "a", "--threads", "2x"), "'2x'");
  assert_refused(PARSE(fixture, "a", "--threads"), "needs a value");
  assert_refused(PARSE(fixture, "a", "--json=1"), "takes no value");
  assert_refused(PARSE(fixture, "a", "--rtol", "nan"), "'nan'");
  assert_refused(PARSE(fixture, "--json"), "too few");
  assert_refused(PARSE(fixture, "a", "b", "c"), "'c'");
}

static void test_a_form_is_what_follows_the_equals_sign(void **state) {
  fixture_t *fixture = *state;
  const genie_status_t status = PARSE(fixture, "--explain", "file", "--explain=html");
  assert_true(status == GENIE_OK);
  assert_int_equal(fixture->options.forms.count, 2);
  assert_string_equal(fixture->options.forms.values[0], "");
  assert_string_equal(fixture->options.forms.values[1], "html");
  assert_string_equal(fixture->positional.values[0], "file");
}

static void test_help_lists_every_option(void **state) {
  (void)state;
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_config_describe(&kTable, &text);
  assert_non_null(strstr(genie_string_builder_get(&text), "--explain[=FORM]"));
  for (size_t i = 0; i < kTable.option_count; ++i) {
    assert_non_null(strstr(genie_string_builder_get(&text), kOptions[i].name));
    assert_non_null(strstr(genie_string_builder_get(&text), kOptions[i].help));
  }
  genie_string_builder_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_every_kind_is_stored, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arguments_override_the_environment, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_wrong_use_is_named, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_form_is_what_follows_the_equals_sign, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_help_lists_every_option, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
