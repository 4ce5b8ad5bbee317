#include "remote_exec/transport/stream_flow.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote_exec/transport/stream.h"

enum {
  kBatchRecords = 8,
  // Room for a batch and for what TLS itself has to say.
  kOutboxBytes = kBatchRecords * (GENIE_STREAM_RECORD_BYTES + 256) + 8192,
  kPeeksPerYield = 2,
  kHandoverSpins = 20000,
};

typedef enum stream_side { STREAM_SEND = 0, STREAM_RECEIVE = 1 } stream_side_t;

static void turn_take(genie_stream_turn_t *turn, stream_side_t side) {
  const stream_side_t other = side == STREAM_SEND ? STREAM_RECEIVE : STREAM_SEND;
  for (int i = 0; i < kHandoverSpins && atomic_load_explicit(&turn->is_wanted[other], memory_order_relaxed); ++i) {
    __builtin_ia32_pause();
  }
  if (pthread_mutex_trylock(&turn->lock) == 0) {
    return;
  }
  atomic_store_explicit(&turn->is_wanted[side], true, memory_order_relaxed);
  pthread_mutex_lock(&turn->lock);
  atomic_store_explicit(&turn->is_wanted[side], false, memory_order_relaxed);
}

static void turn_give(genie_stream_turn_t *turn) {
  pthread_mutex_unlock(&turn->lock);
}

static genie_status_t interrupted(const genie_stream_flow_t *flow) {
  return genie_status_make(GENIE_STATUS_CANCELLED, "%s: the channel was interrupted", flow->judgement.peer->name);
}

static genie_status_t peer_gone(const genie_stream_flow_t *flow, const char *why) {
  return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: %s", flow->judgement.peer->name, why);
}

static genie_status_t refused_by_peer(const genie_stream_flow_t *flow) {
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                           "%s: refuses the key %s: add it to the authorized keys there", flow->judgement.peer->name,
                           flow->own_fingerprint);
}

// A short spin catches an answer that is on its way without the cost of sleeping; only receivers do it.
static bool spin_for_input(genie_stream_flow_t *flow, genie_deadline_ns_t deadline) {
  if (flow->spin_ns == GENIE_STREAM_NO_SPIN || flow->is_streaming) {
    return false;
  }
  genie_deadline_ns_t end = genie_deadline_after_ns(flow->spin_ns);
  end = deadline < end ? deadline : end;
  do {
    for (int i = 0; i < kPeeksPerYield; ++i) {
      uint8_t byte;
      const ssize_t got = recv(flow->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got >= 0 || errno != EAGAIN || genie_wake_is_set(&flow->wake)) {
        return true;
      }
    }
    sched_yield();
  } while (genie_deadline_clock_ns() < end);
  return false;
}

static genie_status_t wait_for(genie_stream_flow_t *flow, short events, genie_deadline_ns_t deadline) {
  if (events == POLLIN && spin_for_input(flow, deadline)) {
    return genie_wake_is_set(&flow->wake) ? interrupted(flow) : GENIE_OK;
  }
  switch (genie_wake_poll(&flow->wake, flow->socket, events, deadline)) {
    case GENIE_WAIT_READY:
      return GENIE_OK;
    case GENIE_WAIT_INTERRUPTED:
      return interrupted(flow);
    default:
      return genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "%s: the deadline passed while %s",
                               flow->judgement.peer->name, events == POLLIN ? "receiving" : "sending");
  }
}

// What an SSL call that returned no bytes means. OK: the socket was waited for, try again. `error` is SSL_get_error's,
// `detail` the top of OpenSSL's queue, `system_error` errno after the call.
static genie_status_t after_ssl_call(genie_stream_flow_t *flow, int error, unsigned long detail, int system_error,
                                     genie_deadline_ns_t deadline) {
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return wait_for(flow, POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return wait_for(flow, POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
      return peer_gone(flow, "closed the connection");
    case SSL_ERROR_SYSCALL:
      return peer_gone(flow, system_error != 0 ? strerror(system_error) : "is gone");
    default:
      break;
  }
  if (flow->judgement.refusal != GENIE_OK) {
    const genie_status_t refusal = flow->judgement.refusal;
    flow->judgement.refusal = GENIE_OK;
    return refusal;
  }
  if (genie_stream_tls_is_refusal(detail)) {
    return refused_by_peer(flow);
  }
  const char *reason = ERR_reason_error_string(detail);
  return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: TLS fails: %s", flow->judgement.peer->name,
                           reason != NULL ? reason : "no reason given");
}

// Sends what the outbox holds. Others may append meanwhile, to be sent next time.
static genie_status_t empty_outbox(genie_stream_flow_t *flow, genie_deadline_ns_t deadline) {
  genie_stream_outbox_t *outbox = &flow->outbox;
  flow->batched_records = 0;
  turn_take(&flow->turn, STREAM_SEND);
  const size_t end = outbox->end;
  turn_give(&flow->turn);
  while (outbox->begin < end) {
    const ssize_t sent = send(flow->socket, outbox->bytes + outbox->begin, end - outbox->begin, MSG_NOSIGNAL);
    if (sent >= 0) {
      outbox->begin += (size_t)sent;
    } else if (errno == EAGAIN || errno == EINTR) {
      GENIE_RETURN_IF_ERROR(wait_for(flow, POLLOUT, deadline));
    } else {
      return peer_gone(flow, strerror(errno));
    }
    if (genie_wake_is_set(&flow->wake)) {
      return interrupted(flow);
    }
  }
  turn_take(&flow->turn, STREAM_SEND);
  if (outbox->begin == outbox->end) {
    outbox->begin = outbox->end = 0;
  }
  turn_give(&flow->turn);
  return GENIE_OK;
}

static genie_status_t write_some(genie_stream_flow_t *flow, const uint8_t *data, size_t bytes,
                                 genie_deadline_ns_t deadline, size_t *out_written) {
  for (;;) {
    if (genie_wake_is_set(&flow->wake)) {
      return interrupted(flow);
    }
    size_t written = 0;
    turn_take(&flow->turn, STREAM_SEND);
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(flow->ssl, data, bytes, &written);
    const int system_error = errno;
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(flow->ssl, result);
    turn_give(&flow->turn);
    if (result == 1) {
      *out_written = written;
      return GENIE_OK;
    }
    if (error == SSL_ERROR_WANT_WRITE && flow->has_outbox) {
      GENIE_RETURN_IF_ERROR(empty_outbox(flow, deadline));
      continue;
    }
    GENIE_RETURN_IF_ERROR(after_ssl_call(flow, error, ERR_peek_error(), system_error, deadline));
  }
}

genie_status_t genie_stream_flow_read(genie_stream_flow_t *flow, uint8_t *data, size_t bytes,
                                      genie_deadline_ns_t deadline, size_t *out_read) {
  for (;;) {
    if (genie_wake_is_set(&flow->wake)) {
      return interrupted(flow);
    }
    size_t got = 0;
    turn_take(&flow->turn, STREAM_RECEIVE);
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(flow->ssl, data, bytes, &got);
    const int system_error = errno;
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(flow->ssl, result);
    turn_give(&flow->turn);
    if (result == 1) {
      *out_read = got;
      return GENIE_OK;
    }
    if (error == SSL_ERROR_WANT_WRITE && flow->has_outbox) {
      return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: asks for new keys without end", flow->judgement.peer->name);
    }
    GENIE_RETURN_IF_ERROR(after_ssl_call(flow, error, ERR_peek_error(), system_error, deadline));
  }
}

genie_status_t genie_stream_flow_write(genie_stream_flow_t *flow, const uint8_t *data, size_t bytes, bool has_more,
                                       genie_deadline_ns_t deadline) {
  while (bytes > 0) {
    size_t written = 0;
    // One record a turn, so that the other direction gets its own.
    const size_t step = bytes < GENIE_STREAM_RECORD_BYTES ? bytes : GENIE_STREAM_RECORD_BYTES;
    GENIE_RETURN_IF_ERROR(write_some(flow, data, step, deadline, &written));
    data += written;
    bytes -= written;
    flow->batched_records += 1;
    if (flow->batched_records >= kBatchRecords) {
      GENIE_RETURN_IF_ERROR(empty_outbox(flow, deadline));
    }
  }
  return has_more || !flow->has_outbox ? GENIE_OK : empty_outbox(flow, deadline);
}

static genie_status_t do_handshake(genie_stream_flow_t *flow, genie_deadline_ns_t deadline) {
  for (;;) {
    if (genie_wake_is_set(&flow->wake)) {
      return interrupted(flow);
    }
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(flow->ssl);
    if (result == 1) {
      return GENIE_OK;
    }
    const int system_error = errno;
    GENIE_RETURN_IF_ERROR(
        after_ssl_call(flow, SSL_get_error(flow->ssl, result), ERR_peek_error(), system_error, deadline));
  }
}

genie_status_t genie_stream_flow_handshake(genie_stream_flow_t *flow, genie_deadline_ns_t deadline) {
  GENIE_RETURN_IF_ERROR(do_handshake(flow, deadline));
  genie_stream_tls_use_inbox(flow->ssl, &flow->inbox);
  return genie_stream_tls_use_outbox(flow->ssl, &flow->outbox, &flow->has_outbox);
}

genie_status_t genie_stream_flow_init(genie_channel_peer_t *peer, genie_trust_t trust, const char *own_fingerprint,
                                      uint64_t spin_ns, genie_allocator_t allocator, genie_stream_flow_t *out_flow) {
  *out_flow = (genie_stream_flow_t){.allocator = allocator,
                                    .socket = -1,
                                    .judgement = {.trust = trust, .peer = peer},
                                    .spin_ns = spin_ns,
                                    .wake = {.descriptor = -1}};
  snprintf(out_flow->own_fingerprint, sizeof(out_flow->own_fingerprint), "%s", own_fingerprint);
  pthread_mutex_init(&out_flow->turn.lock, NULL);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, kOutboxBytes, 1, &memory));
  out_flow->outbox = (genie_stream_outbox_t){.bytes = memory, .capacity = kOutboxBytes};
  return genie_wake_init(&out_flow->wake);
}

genie_status_t genie_stream_flow_attach(genie_stream_flow_t *flow, SSL_CTX *context, bool is_server, int socket) {
  flow->socket = socket;
  GENIE_RETURN_IF_ERROR(genie_stream_tls_open(context, socket, &flow->judgement, &flow->ssl));
  if (is_server) {
    SSL_set_accept_state(flow->ssl);
  } else {
    SSL_set_connect_state(flow->ssl);
  }
  return GENIE_OK;
}

void genie_stream_flow_shut_down(genie_stream_flow_t *flow) {
  ERR_clear_error();
  SSL_shutdown(flow->ssl);
  ERR_clear_error();
  const genie_stream_outbox_t *outbox = &flow->outbox;
  if (outbox->begin < outbox->end) {
    (void)!send(flow->socket, outbox->bytes + outbox->begin, outbox->end - outbox->begin, MSG_NOSIGNAL);
  }
}

void genie_stream_flow_deinit(genie_stream_flow_t *flow) {
  SSL_free(flow->ssl);
  ERR_clear_error();
  if (flow->socket >= 0) {
    close(flow->socket);
  }
  genie_wake_deinit(&flow->wake);
  genie_status_free(flow->judgement.refusal);
  pthread_mutex_destroy(&flow->turn.lock);
  genie_allocator_free(flow->allocator, flow->outbox.bytes);
}
