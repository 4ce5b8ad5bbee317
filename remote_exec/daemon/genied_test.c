// genied as a service manager and a person see it: options, what it says, how it starts and stops.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "remote_exec/daemon/log.h"
#include "remote_exec/daemon/notify.h"
#include "remote_exec/daemon/options.h"

#include <cmocka.h>

// ---- Options ----

static genie_status_t parse(genie_arena_t *arena, genie_daemon_options_t *options, const char *first,
                            const char *second) {
  const char *argv[] = {"genied", "--data-dir", "/nowhere", first, second};
  const int argc = second != NULL ? 5 : first != NULL ? 4 : 3;
  return genie_daemon_options_parse(argc, (char **)argv, arena, options);
}

static void test_options_have_defaults_and_paths_follow_the_data_directory(void **state) {
  (void)state;
  genie_arena_t arena;
  genie_daemon_options_t options;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  assert_int_equal(parse(&arena, &options, NULL, NULL), GENIE_OK);
  assert_string_equal(options.listen, "127.0.0.1:7700");
  assert_string_equal(options.key, "/nowhere/node.pem");
  assert_string_equal(options.authorized_keys, "/nowhere/authorized_keys");
  assert_true(options.memory_limit_mib > 0);
  assert_int_equal(options.client_memory_limit_mib, options.memory_limit_mib);
  genie_arena_deinit(&arena);
}

static void test_the_environment_gives_what_arguments_do_not(void **state) {
  (void)state;
  genie_arena_t arena;
  genie_daemon_options_t options;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  setenv("GENIED_LISTEN", "0.0.0.0:1", 1);
  setenv("GENIED_THREADS", "3", 1);
  assert_int_equal(parse(&arena, &options, "--threads", "5"), GENIE_OK);
  assert_string_equal(options.listen, "0.0.0.0:1");
  assert_int_equal(options.thread_count, 5);
  unsetenv("GENIED_LISTEN");
  unsetenv("GENIED_THREADS");
  genie_arena_deinit(&arena);
}

static void test_wrong_options_are_named(void **state) {
  (void)state;
  static const char *const kWrong[][2] = {
      {"--log-format", "xml"}, {"--threads", "-1"}, {"--memory-limit", "0"}, {"--lsten", "x"}};
  for (size_t i = 0; i < sizeof(kWrong) / sizeof(kWrong[0]); ++i) {
    genie_arena_t arena;
    genie_daemon_options_t options;
    genie_arena_init(genie_allocator_heap(), 0, &arena);
    const genie_status_t status = parse(&arena, &options, kWrong[i][0], kWrong[i][1]);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(genie_status_message(status), kWrong[i][0]));
    genie_status_free(status);
    genie_arena_deinit(&arena);
  }
}

// ---- Log ----

static void read_line(const genie_log_t *log, int reader, char *out_line, size_t size, const char *peer,
                      const char *message) {
  genie_log_write(log, GENIE_LOG_WARNING, peer, "%s", message);
  const ssize_t count = read(reader, out_line, size - 1);
  assert_true(count > 0);
  out_line[count] = '\0';
}

static void test_a_peer_cannot_forge_a_line(void **state) {
  (void)state;
  int ends[2];
  char line[4096];
  assert_int_equal(pipe(ends), 0);
  for (int is_json = 0; is_json < 2; ++is_json) {
    const genie_log_t log = {.file = ends[1], .is_json = is_json != 0};
    read_line(&log, ends[0], line, sizeof(line), "peer\"\n", "one\ntwo \"quoted\" \\ \x1b[2J");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strchr(line, '\x1b'));
    assert_non_null(strstr(line, "one\\u000atwo \\\"quoted\\\""));
  }
  close(ends[0]);
  close(ends[1]);
}

static void test_a_long_message_is_cut(void **state) {
  (void)state;
  int ends[2];
  char line[16384];
  static char message[10000];
  assert_int_equal(pipe(ends), 0);
  memset(message, '"', sizeof(message) - 1);
  const genie_log_t log = {.file = ends[1], .is_json = true};
  read_line(&log, ends[0], line, sizeof(line), message, message);
  assert_true(strlen(line) < 8192);
  assert_int_equal(line[strlen(line) - 1], '\n');
  close(ends[0]);
  close(ends[1]);
}

// ---- Service manager ----

static void test_the_service_manager_is_told(void **state) {
  (void)state;
  char path[] = "/tmp/genied-notify-XXXXXX";
  assert_non_null(mkdtemp(path));
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", path);
  const int listener = socket(AF_UNIX, SOCK_DGRAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
  genie_notify_send(address.sun_path, "READY=1");
  char text[64] = {0};
  assert_int_equal(recv(listener, text, sizeof(text), 0), 7);
  assert_string_equal(text, "READY=1");
  close(listener);
  unlink(address.sun_path);
  rmdir(path);
}

static void test_nobody_to_tell_is_no_error(void **state) {
  (void)state;
  genie_notify_send(NULL, "READY=1");
  genie_notify_send("", "READY=1");
  genie_notify_send("relative", "READY=1");
  genie_notify_send("/nowhere/at/all", "READY=1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options_have_defaults_and_paths_follow_the_data_directory),
      cmocka_unit_test(test_the_environment_gives_what_arguments_do_not),
      cmocka_unit_test(test_wrong_options_are_named),
      cmocka_unit_test(test_a_peer_cannot_forge_a_line),
      cmocka_unit_test(test_a_long_message_is_cut),
      cmocka_unit_test(test_the_service_manager_is_told),
      cmocka_unit_test(test_nobody_to_tell_is_no_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
