// What a node counts: the text that Prometheus reads, and the server that gives it to whoever asks properly.
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/metrics/metrics_server.h"

#include <cmocka.h>

enum { kMostText = 65536 };

static genie_metrics_t metrics;

static int set_up(void **state) {
  (void)state;
  genie_metrics_init(&metrics);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  genie_metrics_deinit(&metrics);
  return 0;
}

static const char *format(void) {
  static char text[kMostText];
  genie_string_builder_t builder;
  genie_string_builder_init(genie_allocator_heap(), &builder);
  genie_metrics_format(&metrics, &builder);
  snprintf(text, sizeof(text), "%s", genie_string_builder_get(&builder));
  genie_string_builder_deinit(&builder);
  return text;
}

static void assert_line(const char *text, const char *line) {
  const char *found = strstr(text, line);
  if (found == NULL || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n') {
    fail_msg("no line '%s' in\n%s", line, text);
  }
}

static void values_have_their_kind_and_unit(void **state) {
  (void)state;
  genie_metrics_add(&metrics, GENIE_METRIC_SESSIONS, 3);
  genie_metrics_subtract(&metrics, GENIE_METRIC_SESSIONS, 1);
  genie_metrics_add(&metrics, GENIE_METRIC_CALL_TIME, 1500000002);
  genie_metrics_set(&metrics, GENIE_METRIC_MEMORY_SLAB, 4096);
  genie_metrics_count_error(&metrics, GENIE_STATUS_DATA_LOSS);
  genie_metrics_count_error(&metrics, (genie_status_code_t)4000000000u);
  const char *text = format();
  assert_line(text, "# TYPE genied_sessions gauge");
  assert_line(text, "genied_sessions 2");
  assert_line(text, "# TYPE genied_call_seconds_total counter");
  assert_line(text, "genied_call_seconds_total 1.500000002");
  assert_line(text, "genied_memory_bytes{purpose=\"slab\"} 4096");
  assert_line(text, "genied_errors_total{code=\"DATA_LOSS\"} 1");
  assert_line(text, "genied_errors_total{code=\"INTERNAL\"} 1");
}

// Prometheus refuses a text where a family is described twice or its samples are apart.
static void every_family_is_described_once(void **state) {
  (void)state;
  const char *text = format();
  for (const char *at = strstr(text, "# TYPE "); at != NULL; at = strstr(at + 1, "# TYPE ")) {
    char head[128];
    snprintf(head, sizeof(head), "%.*s", (int)strcspn(at, "\n"), at);
    assert_null(strstr(at + 1, head));
  }
}

static void bring_links(void *self, genie_metrics_t *owner, genie_metric_family_t family, genie_metric_sink_t *sink) {
  if (family == GENIE_METRIC_FAMILY_COUNT) {
    genie_metrics_set(owner, GENIE_METRIC_STORE_DISK_BYTES, 7);
  }
  if (family == GENIE_METRIC_FAMILY_LINK_BYTES) {
    genie_metric_sink_put(sink, (const char *const[]){self, "tls\\tcp", "sent"}, 5);
  }
}

static void collectors_bring_labelled_samples(void **state) {
  (void)state;
  genie_metric_collector_t collector = {.collect = bring_links, .self = "a\"b\n"};
  genie_metrics_add_collector(&metrics, &collector);
  assert_line(format(), "genied_link_bytes_total{peer=\"a\\\"b\\n\",path=\"tls\\\\tcp\",direction=\"sent\"} 5");
  assert_line(format(), "genied_store_disk_bytes 7");
  genie_metrics_remove_collector(&metrics, &collector);
  genie_metrics_remove_collector(&metrics, &collector);
  assert_null(strstr(format(), "direction=\"sent\""));
}

// ---- The server ----

static const char *ask(uint16_t port, const char *request) {
  static char reply[kMostText];
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int peer = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(peer, (const struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(write(peer, request, strlen(request)), strlen(request));
  size_t length = 0;
  for (ssize_t got = 1; got > 0 && length + 1 < sizeof(reply); length += (size_t)(got > 0 ? got : 0)) {
    got = read(peer, reply + length, sizeof(reply) - 1 - length);
  }
  reply[length] = '\0';
  close(peer);
  return reply;
}

#define REQUEST(line) line " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void two_paths_are_served_and_nothing_else(void **state) {
  (void)state;
  genie_metrics_server_t *server = NULL;
  assert_int_equal(genie_metrics_server_start("127.0.0.1:0", &metrics, genie_allocator_heap(), &server), GENIE_OK);
  const uint16_t port = genie_metrics_server_port(server);
  const char *reply = ask(port, REQUEST("GET /metrics"));
  assert_non_null(strstr(reply, " 200 "));
  assert_non_null(strstr(reply, "Content-Type: text/plain; version=0.0.4"));
  assert_line(reply, "genied_sessions 0");
  assert_non_null(strstr(ask(port, REQUEST("GET /healthz")), " 200 "));
  genie_metrics_set(&metrics, GENIE_METRIC_DRAINING, 1);
  assert_non_null(strstr(ask(port, REQUEST("GET /healthz")), " 503 "));
  assert_non_null(strstr(ask(port, REQUEST("GET /../etc/passwd")), " 404 "));
  assert_non_null(strstr(ask(port, REQUEST("POST /metrics")), " 405 "));
  assert_null(strstr(ask(port, "nonsense\r\n\r\n"), " 200 "));
  genie_metrics_server_stop(server);
}

static void addresses_that_cannot_be_used_are_refused(void **state) {
  (void)state;
  genie_metrics_server_t *server = NULL;
  const char *const kBad[] = {"", "localhost", ":1", "127.0.0.1:http", "[::1:1", "256.0.0.1:1"};
  for (size_t i = 0; i < sizeof(kBad) / sizeof(kBad[0]); ++i) {
    const genie_status_t status = genie_metrics_server_start(kBad[i], &metrics, genie_allocator_heap(), &server);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    genie_status_free(status);
  }
  const genie_status_t status = genie_metrics_server_start("192.0.2.1:0", &metrics, genie_allocator_heap(), &server);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  genie_status_free(status);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(values_have_their_kind_and_unit),           TEST(every_family_is_described_once),
      TEST(collectors_bring_labelled_samples),         TEST(two_paths_are_served_and_nothing_else),
      TEST(addresses_that_cannot_be_used_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
