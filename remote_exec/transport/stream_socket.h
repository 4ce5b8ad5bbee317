// TCP sockets of the stream carrier: addresses, connecting, listening and their options. All are non-blocking.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_STREAM_SOCKET_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_STREAM_SOCKET_H_

#include <stddef.h>
#include <sys/socket.h>

#include "remote_exec/transport/wake.h"

// Connects to `address` by its deadline, trying each of the addresses that its host has. Resolving a name is not
// bounded by the deadline. `local_address`, when not NULL, is the numeric address of this machine to leave from.
genie_status_t genie_stream_socket_connect(const char *address, const char *local_address, uint64_t user_timeout_ms,
                                           genie_wake_t *wake, genie_deadline_ns_t deadline,
                                           int *out_socket) GENIE_MUST_USE;

genie_status_t genie_stream_socket_listen(const char *address, int *out_socket) GENIE_MUST_USE;

// Sets what every connected socket has: no delay, keepalive, a limit on unacknowledged bytes.
void genie_stream_socket_configure(int socket, uint64_t user_timeout_ms);

// "127.0.0.1:7070" or "[::1]:7070".
void genie_stream_socket_format(const struct sockaddr *address, socklen_t address_bytes, char *out_text,
                                size_t capacity);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_STREAM_SOCKET_H_
