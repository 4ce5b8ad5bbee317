#include "remote_exec/metrics/metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum {
  kMostConnections = 16,
  kConnectionMemoryBytes = 16 * 1024,
  kTimeoutSeconds = 10,
  kBacklog = 16,
  kMostHostBytes = 255,
};

struct genie_metrics_server {
  genie_allocator_t allocator;
  genie_metrics_t *metrics;
  struct MHD_Daemon *daemon;
  uint16_t port;
};

// ---- Answers ----

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, const char *text,
                              size_t length) {
  struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY);
  if (response == NULL) {
    return MHD_NO;
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned status, const char *line) {
  return answer(connection, status, "text/plain; charset=utf-8", line, strlen(line));
}

static enum MHD_Result answer_metrics(genie_metrics_server_t *server, struct MHD_Connection *connection) {
  genie_string_builder_t text;
  genie_string_builder_init(server->allocator, &text);
  genie_metrics_format(server->metrics, &text);
  const enum MHD_Result result = text.has_failed
                                     ? answer_line(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n")
                                     : answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                                              genie_string_builder_get(&text), text.length);
  genie_string_builder_deinit(&text);
  return result;
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **context) {
  genie_metrics_server_t *server = self;
  (void)version;
  (void)body;
  (void)context;
  *body_bytes = 0;
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
  }
  if (strcmp(path, "/metrics") == 0) {
    return answer_metrics(server, connection);
  }
  if (strcmp(path, "/healthz") == 0) {
    const bool is_draining = genie_metrics_get(server->metrics, GENIE_METRIC_DRAINING) != 0;
    return answer_line(connection, is_draining ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
                       is_draining ? "draining\n" : "ok\n");
  }
  return answer_line(connection, MHD_HTTP_NOT_FOUND, "there is /metrics and /healthz\n");
}

// ---- Start and stop ----

static genie_status_t bad_address(const char *address) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "'%.80s' is no address for metrics: write HOST:PORT, or [IPV6]:PORT", address);
}

static genie_status_t resolve(const char *address, struct addrinfo **out_found) {
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  const char *colon = strrchr(address, ':');
  char host[kMostHostBytes + 1];
  if (colon == NULL || (size_t)(colon - address) > kMostHostBytes) {
    return bad_address(address);
  }
  const bool is_bracketed = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
  const size_t length = (size_t)(colon - address) - (is_bracketed ? 2 : 0);
  memcpy(host, address + is_bracketed, length);
  host[length] = '\0';
  return length > 0 && getaddrinfo(host, colon + 1, &hints, out_found) == 0 ? GENIE_OK : bad_address(address);
}

static genie_status_t listen_on(const char *address, int *out_socket, uint16_t *out_port) {
  struct addrinfo *found = NULL;
  struct sockaddr_storage bound;
  socklen_t bound_bytes = sizeof(bound);
  GENIE_RETURN_IF_ERROR(resolve(address, &found));
  const int listener = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool is_bound = listener >= 0 && setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
                        bind(listener, found->ai_addr, found->ai_addrlen) == 0 && listen(listener, kBacklog) == 0 &&
                        getsockname(listener, (struct sockaddr *)&bound, &bound_bytes) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (!is_bound) {
    if (listener >= 0) {
      close(listener);
    }
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "cannot serve metrics on %.80s: %s", address,
                             strerror(error));
  }
  *out_port = ntohs(bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&bound)->sin6_port
                                                : ((const struct sockaddr_in *)&bound)->sin_port);
  *out_socket = listener;
  return GENIE_OK;
}

genie_status_t genie_metrics_server_start(const char *address, genie_metrics_t *metrics, genie_allocator_t allocator,
                                          genie_metrics_server_t **out_server) {
  void *memory = NULL;
  int listener = -1;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_metrics_server_t), &memory));
  genie_metrics_server_t *server = memory;
  *server = (genie_metrics_server_t){.allocator = allocator, .metrics = metrics};
  const genie_status_t status = listen_on(address, &listener, &server->port);
  if (status != GENIE_OK) {
    genie_allocator_free(allocator, server);
    return status;
  }
  server->daemon =
      MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL, handle, server,
                       MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)kMostConnections,
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)kConnectionMemoryBytes,
                       MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)kTimeoutSeconds, MHD_OPTION_END);
  if (server->daemon == NULL) {
    close(listener);
    genie_allocator_free(allocator, server);
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "cannot start the server of metrics");
  }
  *out_server = server;
  return GENIE_OK;
}

uint16_t genie_metrics_server_port(const genie_metrics_server_t *server) {
  return server->port;
}

void genie_metrics_server_stop(genie_metrics_server_t *server) {
  if (server != NULL) {
    MHD_stop_daemon(server->daemon);
    genie_allocator_free(server->allocator, server);
  }
}
