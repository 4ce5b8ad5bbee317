// Inside of the ucx carrier: one worker with one endpoint, and the threads that wait for it.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_CHANNEL_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_CHANNEL_H_

#include <pthread.h>

#include "remote_exec/transport/ucx_queue.h"
#include "remote_exec/transport/wake.h"

// Numbers of active messages.
enum {
  GENIE_UCX_AM_TOKEN = 1,
  GENIE_UCX_AM_MESSAGE = 2,
  GENIE_UCX_AM_BYE = 3,
  GENIE_UCX_AM_HEADER = 4,
  GENIE_UCX_AM_PROBE = 5,
  GENIE_UCX_AM_READY = 6,
};

typedef struct genie_ucx_counters {
  uint64_t messages, bytes, ns;
} genie_ucx_counters_t;

typedef struct genie_ucx_channel {
  genie_channel_t base;
  genie_ucx_fabric_t *fabric;
  genie_channel_t *control;  // owned once open
  genie_wake_t wake;

  // Guards what follows it and every call on the worker. One waiting thread drives the worker for all; the others wait
  // for `changed`.
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool has_driver;
  ucp_worker_h worker;
  ucp_ep_h endpoint;
  int descriptor;  // readable when the worker has something to do
  ucs_status_t endpoint_status;
  bool has_bye;
  uint8_t expected_token[GENIE_WIRE_TOKEN_BYTES];
  bool has_token, has_wrong_token, has_ready;
  genie_ucx_queue_t queue;
  genie_ucx_counters_t sent, received;
  char path[GENIE_CHANNEL_MAX_NAME_BYTES];

  pthread_mutex_t send_lock;  // guards what follows it
  uint64_t send_sequence;
  bool is_send_broken;

  pthread_mutex_t receive_lock;  // guards what follows it
  genie_ucx_incoming_t *current;
  uint64_t payload_taken;
  uint8_t *staged;  // the whole payload, when it is taken in pieces
  bool is_receive_broken;
} genie_ucx_channel_t;

// A worker without an endpoint.
genie_status_t genie_ucx_channel_create(genie_ucx_fabric_t *fabric, const genie_channel_peer_t *peer,
                                        genie_allocator_t allocator, genie_ucx_channel_t **out_channel) GENIE_MUST_USE;

// Makes the worker and what it wakes by; called by create.
genie_status_t genie_ucx_channel_create_worker(genie_ucx_channel_t *channel) GENIE_MUST_USE;

// Connects the endpoint to the peer's worker, whose address came over the authenticated control channel.
genie_status_t genie_ucx_channel_connect(genie_ucx_channel_t *channel, const void *address) GENIE_MUST_USE;

// Waits for the token that we expect; before there is an endpoint, too.
genie_status_t genie_ucx_channel_await_token(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Sends the token that the peer expects, and waits for the one that we do.
genie_status_t genie_ucx_channel_prove(genie_ucx_channel_t *channel, const uint8_t token[GENIE_WIRE_TOKEN_BYTES],
                                       genie_deadline_ns_t deadline) GENIE_MUST_USE;

// Finds out, by a request in flight, which path payloads take; fills `path`. Waits until the peer knows too: before, it
// needs this side's worker.
genie_status_t genie_ucx_channel_probe(genie_ucx_channel_t *channel, genie_deadline_ns_t deadline) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_CHANNEL_H_
