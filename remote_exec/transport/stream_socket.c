#include "remote_exec/transport/stream_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  kMaxHostBytes = 256,
  kMaxPort = 65535,
  kBacklog = 128,
  kKeepIdleSeconds = 1,
  kKeepIntervalSeconds = 1,
  kKeepCount = 3,
};

typedef struct host_port {
  char host[kMaxHostBytes];
  char port[8];
} host_port_t;

static genie_status_t bad_address(const char *address) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "\"%.200s\" is no address: it is HOST:PORT, or [HOST]:PORT for IPv6", address);
}

static genie_status_t split_address(const char *address, host_port_t *out_parts) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL) {
    return bad_address(address);
  }
  const char *host = address;
  size_t host_bytes = (size_t)(colon - address);
  if (host_bytes >= 2 && host[0] == '[' && colon[-1] == ']') {
    ++host;
    host_bytes -= 2;
  } else if (memchr(host, ':', host_bytes) != NULL) {
    return bad_address(address);
  }
  char *end = NULL;
  const unsigned long port = strtoul(colon + 1, &end, 10);
  if (host_bytes == 0 || host_bytes >= kMaxHostBytes || colon[1] < '0' || colon[1] > '9' || *end != '\0' ||
      port > kMaxPort) {
    return bad_address(address);
  }
  memcpy(out_parts->host, host, host_bytes);
  out_parts->host[host_bytes] = '\0';
  snprintf(out_parts->port, sizeof(out_parts->port), "%lu", port);
  return GENIE_OK;
}

static genie_status_t resolve(const char *address, int flags, struct addrinfo **out_list) {
  host_port_t parts;
  GENIE_RETURN_IF_ERROR(split_address(address, &parts));
  const struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
  const int error = getaddrinfo(parts.host, parts.port, &hints, out_list);
  if (error != 0) {
    return genie_status_make(error == EAI_AGAIN ? GENIE_STATUS_UNAVAILABLE : GENIE_STATUS_NOT_FOUND,
                             "%s: cannot resolve the host: %s", address, gai_strerror(error));
  }
  return GENIE_OK;
}

static void set_option(int socket, int level, int name, int value) {
  // Each is an improvement, none a need: kernels that lack one go without.
  (void)setsockopt(socket, level, name, &value, sizeof(value));
}

void genie_stream_socket_configure(int socket, uint64_t user_timeout_ms) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalSeconds);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms > INT32_MAX ? INT32_MAX : (int)user_timeout_ms);
}

// The error number of a finished connect, 0 when it succeeded.
static int connect_error(int socket) {
  int error = 0;
  socklen_t bytes = sizeof(error);
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 ? error : errno;
}

// Makes a socket leave from one of this machine's addresses, which is of the same family.
static genie_status_t bind_local(int descriptor, int family, const char *local_address) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  const bool is_v4 = family == AF_INET && inet_pton(AF_INET, local_address, &v4.sin_addr) == 1;
  const bool is_v6 = family == AF_INET6 && inet_pton(AF_INET6, local_address, &v6.sin6_addr) == 1;
  const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
  if ((!is_v4 && !is_v6) || bind(descriptor, address, is_v4 ? sizeof(v4) : sizeof(v6)) != 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "cannot connect from %.64s: %s", local_address,
                             is_v4 || is_v6 ? strerror(errno) : "no address of the other side's family");
  }
  return GENIE_OK;
}

static genie_status_t connect_one(const char *name, const struct addrinfo *target, const char *local_address,
                                  uint64_t user_timeout_ms, genie_wake_t *wake, genie_deadline_ns_t deadline,
                                  int *out_socket) {
  const int descriptor = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: no socket: %s", name, strerror(errno));
  }
  genie_stream_socket_configure(descriptor, user_timeout_ms);
  const genie_status_t bound =
      local_address == NULL ? GENIE_OK : bind_local(descriptor, target->ai_family, local_address);
  if (bound != GENIE_OK) {
    close(descriptor);
    return genie_status_annotate(bound, "%s", name);
  }
  int error = connect(descriptor, target->ai_addr, target->ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    const genie_wait_result_t waited = genie_wake_poll(wake, descriptor, POLLOUT, deadline);
    if (waited != GENIE_WAIT_READY) {
      close(descriptor);
      return waited == GENIE_WAIT_DEADLINE
                 ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: does not answer", name)
                 : genie_status_make(GENIE_STATUS_CANCELLED, "%s: connecting was interrupted", name);
    }
    error = connect_error(descriptor);
  }
  if (error != 0) {
    close(descriptor);
    return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: cannot connect: %s", name, strerror(error));
  }
  *out_socket = descriptor;
  return GENIE_OK;
}

genie_status_t genie_stream_socket_connect(const char *address, const char *local_address, uint64_t user_timeout_ms,
                                           genie_wake_t *wake, genie_deadline_ns_t deadline, int *out_socket) {
  struct addrinfo *list = NULL;
  GENIE_RETURN_IF_ERROR(resolve(address, 0, &list));
  genie_status_t status = genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: the host has no address", address);
  for (const struct addrinfo *target = list; target != NULL && status != GENIE_OK; target = target->ai_next) {
    genie_status_free(status);
    status = connect_one(address, target, local_address, user_timeout_ms, wake, deadline, out_socket);
  }
  freeaddrinfo(list);
  return status;
}

static int listen_one(const struct addrinfo *target, int *out_socket) {
  const int descriptor = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return errno;
  }
  set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (target->ai_family == AF_INET6) {
    set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (bind(descriptor, target->ai_addr, target->ai_addrlen) != 0 || listen(descriptor, kBacklog) != 0) {
    const int error = errno;
    close(descriptor);
    return error;
  }
  *out_socket = descriptor;
  return 0;
}

genie_status_t genie_stream_socket_listen(const char *address, int *out_socket) {
  struct addrinfo *list = NULL;
  GENIE_RETURN_IF_ERROR(resolve(address, AI_PASSIVE, &list));
  int error = EADDRNOTAVAIL;
  for (const struct addrinfo *target = list; target != NULL && error != 0; target = target->ai_next) {
    error = listen_one(target, out_socket);
  }
  freeaddrinfo(list);
  return error == 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: cannot listen: %s", address, strerror(error));
}

void genie_stream_socket_format(const struct sockaddr *address, socklen_t address_bytes, char *out_text,
                                size_t capacity) {
  char host[64];
  char port[8];
  if (getnameinfo(address, address_bytes, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) !=
      0) {
    snprintf(out_text, capacity, "unknown");
    return;
  }
  snprintf(out_text, capacity, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}
