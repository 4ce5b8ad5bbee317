#include "remote_exec/client/node_link.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "remote_exec/node/liveness.h"
#include "remote_exec/transport/stream.h"

enum { kNameBytes = 128, kMessageBytes = 512, kAnswers = 8 };

struct genie_node_link {
  genie_allocator_t allocator;
  char name[kNameBytes];
  char address[GENIE_CHANNEL_MAX_NAME_BYTES];
  const genie_identity_t *identity;
  genie_trust_t trust;
  void (*lost)(void *context, genie_node_link_t *link);
  void *context;
  genie_channel_t *channel;
  uint8_t *header;  // GENIE_WIRE_MAX_HEADER_BYTES, of the thread
  pthread_t thread;
  bool has_thread;

  pthread_mutex_t mutex;  // of all below
  pthread_cond_t changed;
  genie_wire_control_t answers[kAnswers];  // that nobody took yet, oldest first
  uint32_t answer_count;
  void *expected;  // where the next payload of `expected_bytes` goes, or NULL
  uint64_t expected_bytes;
  bool is_receiving;  // the thread writes to `expected`
  bool is_closing;
  bool is_lost;
  char failure[kMessageBytes];
};

// ---- The thread ----

static genie_status_t keep_answer(genie_node_link_t *link, const genie_wire_control_t *answer) {
  pthread_mutex_lock(&link->mutex);
  const bool has_room = link->answer_count < kAnswers;
  if (has_room) {
    link->answers[link->answer_count++] = *answer;
    pthread_cond_broadcast(&link->changed);
  }
  pthread_mutex_unlock(&link->mutex);
  return has_room ? GENIE_OK : genie_status_make(GENIE_STATUS_INTERNAL, "the node sends answers that nobody asked for");
}

static genie_status_t receive_payload(genie_node_link_t *link, uint64_t payload_bytes) {
  const genie_deadline_ns_t deadline = genie_liveness_transfer_deadline(payload_bytes);
  pthread_mutex_lock(&link->mutex);
  void *memory = link->expected_bytes == payload_bytes ? link->expected : NULL;
  link->is_receiving = memory != NULL;
  pthread_mutex_unlock(&link->mutex);
  if (memory == NULL) {
    return genie_channel_skip_payload(link->channel, payload_bytes, deadline);
  }
  const genie_status_t status = genie_channel_receive_payload(link->channel, memory, payload_bytes, deadline);
  pthread_mutex_lock(&link->mutex);
  link->is_receiving = false;
  link->expected = NULL;
  pthread_cond_broadcast(&link->changed);
  pthread_mutex_unlock(&link->mutex);
  return status;
}

static genie_status_t take_message(genie_node_link_t *link, const genie_wire_prefix_t *prefix, size_t header_bytes,
                                   uint64_t payload_bytes) {
  if (payload_bytes > 0) {
    GENIE_RETURN_IF_ERROR(receive_payload(link, payload_bytes));
  }
  if (prefix->kind == GENIE_WIRE_HEARTBEAT) {
    return GENIE_OK;
  }
  genie_wire_control_t answer;
  GENIE_RETURN_IF_ERROR(genie_wire_control_decode(link->header, header_bytes, link->allocator, &answer));
  const genie_status_t status = keep_answer(link, &answer);
  if (status != GENIE_OK) {
    genie_wire_control_deinit(&answer);
  }
  return status;
}

static genie_status_t serve(genie_node_link_t *link) {
  genie_liveness_t liveness;
  genie_liveness_start(&liveness);
  for (;;) {
    genie_wire_prefix_t prefix;
    size_t header_bytes = 0;
    uint64_t payload_bytes = 0;
    const genie_status_t status =
        genie_connection_receive(link->channel, GENIE_WIRE_FROM_NODE, GENIE_WIRE_ROLE_CONTROL, link->header,
                                 genie_liveness_deadline(&liveness), &prefix, &header_bytes, &payload_bytes);
    if (genie_status_code(status) == GENIE_STATUS_DEADLINE_EXCEEDED) {
      genie_status_free(status);
      genie_liveness_forgive(&liveness);
    } else {
      GENIE_RETURN_IF_ERROR(status);
      GENIE_RETURN_IF_ERROR(take_message(link, &prefix, header_bytes, payload_bytes));
      genie_liveness_note(&liveness);
    }
    GENIE_RETURN_IF_ERROR(genie_liveness_tick(&liveness, link->channel));
  }
}

static void *thread_main(void *argument) {
  genie_node_link_t *link = argument;
  const genie_status_t status = serve(link);
  pthread_mutex_lock(&link->mutex);
  const bool is_lost = !link->is_closing;
  if (is_lost) {
    link->is_lost = true;
    snprintf(link->failure, sizeof(link->failure), "lost node '%s' (%s): %s", link->name, link->address,
             genie_status_message(status));
    pthread_cond_broadcast(&link->changed);
  }
  pthread_mutex_unlock(&link->mutex);
  genie_status_free(status);
  genie_channel_interrupt(link->channel);
  if (is_lost && link->lost != NULL) {
    link->lost(link->context, link);
  }
  return NULL;
}

// ---- Construction ----

static void make_hello(genie_wire_hello_t *out_hello, genie_wire_role_t role) {
  *out_hello = (genie_wire_hello_t){.role = role};
  snprintf(out_hello->software, sizeof(out_hello->software), "libgenie");
}

static genie_status_t dial(genie_node_link_t *link, const genie_wire_hello_t *hello, genie_deadline_ns_t deadline,
                           genie_channel_t **out_channel) {
  genie_channel_t *channel = NULL;
  GENIE_RETURN_IF_ERROR(genie_status_annotate(
      genie_stream_connect(link->address, link->identity, link->trust, NULL, deadline, link->allocator, &channel),
      "node '%s'", link->name));
  const genie_status_t status =
      genie_status_annotate(genie_connection_greet(channel, hello, deadline, NULL), "node '%s'", link->name);
  if (status != GENIE_OK) {
    genie_channel_close(channel);
    return status;
  }
  *out_channel = channel;
  return GENIE_OK;
}

static genie_status_t fill_link(genie_node_link_t *link, genie_deadline_ns_t deadline) {
  void *header = NULL;
  genie_wire_hello_t hello;
  make_hello(&hello, GENIE_WIRE_ROLE_CONTROL);
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(link->allocator, GENIE_WIRE_MAX_HEADER_BYTES, 1, &header));
  link->header = header;
  GENIE_RETURN_IF_ERROR(dial(link, &hello, deadline, &link->channel));
  if (pthread_create(&link->thread, NULL, thread_main, link) != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  link->has_thread = true;
  return GENIE_OK;
}

static void init_locks(genie_node_link_t *link) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&link->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&link->mutex, NULL);
}

genie_status_t genie_node_link_connect(const genie_node_link_options_t *options, genie_deadline_ns_t deadline,
                                       genie_allocator_t allocator, genie_node_link_t **out_link) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_node_link_t), &memory));
  genie_node_link_t *link = memory;
  link->allocator = allocator;
  link->identity = options->identity;
  link->trust = options->trust;
  link->lost = options->lost;
  link->context = options->context;
  snprintf(link->name, sizeof(link->name), "%s", options->name);
  snprintf(link->address, sizeof(link->address), "%s", options->address);
  init_locks(link);
  const genie_status_t status = fill_link(link, deadline);
  if (status != GENIE_OK) {
    genie_node_link_destroy(link);
    return status;
  }
  *out_link = link;
  return GENIE_OK;
}

void genie_node_link_destroy(genie_node_link_t *link) {
  if (link == NULL) {
    return;
  }
  pthread_mutex_lock(&link->mutex);
  link->is_closing = true;
  pthread_mutex_unlock(&link->mutex);
  if (link->has_thread) {
    genie_channel_interrupt(link->channel);
    pthread_join(link->thread, NULL);
  }
  for (uint32_t i = 0; i < link->answer_count; ++i) {
    genie_wire_control_deinit(&link->answers[i]);
  }
  genie_channel_close(link->channel);
  pthread_cond_destroy(&link->changed);
  pthread_mutex_destroy(&link->mutex);
  genie_allocator_free(link->allocator, link->header);
  genie_allocator_free(link->allocator, link);
}

// ---- Use ----

const char *genie_node_link_name(const genie_node_link_t *link) {
  return link->name;
}

const char *genie_node_link_address(const genie_node_link_t *link) {
  return link->address;
}

const char *genie_node_link_fingerprint(const genie_node_link_t *link) {
  return genie_channel_get_peer(link->channel)->fingerprint;
}

// The mutex is held.
static genie_status_t failure_of(const genie_node_link_t *link) {
  return link->is_lost ? genie_status_make(GENIE_STATUS_ABORTED, "%s", link->failure) : GENIE_OK;
}

genie_status_t genie_node_link_failure(genie_node_link_t *link) {
  pthread_mutex_lock(&link->mutex);
  const genie_status_t status = failure_of(link);
  pthread_mutex_unlock(&link->mutex);
  return status;
}

genie_status_t genie_node_link_send(genie_node_link_t *link, genie_wire_kind_t kind, const ProtobufCMessage *message,
                                    const void *payload, uint64_t payload_bytes) {
  const genie_status_t status = genie_connection_send_control(link->channel, kind, message, payload, payload_bytes,
                                                              genie_liveness_transfer_deadline(payload_bytes));
  if (status == GENIE_OK) {
    return GENIE_OK;
  }
  // A connection that the node ended has its reason in an answer that came before.
  genie_channel_interrupt(link->channel);
  return genie_status_annotate(status, "node '%s'", link->name);
}

static genie_status_t wait_for_change(genie_node_link_t *link, genie_deadline_ns_t deadline) {
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&link->changed, &link->mutex);
    return GENIE_OK;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  pthread_cond_timedwait(&link->changed, &link->mutex, &until);
  return genie_deadline_has_passed(deadline)
             ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "node '%s' does not answer", link->name)
             : GENIE_OK;
}

static genie_status_t next_answer(genie_node_link_t *link, genie_deadline_ns_t deadline,
                                  genie_wire_control_t *out_answer) {
  genie_status_t status = GENIE_OK;
  pthread_mutex_lock(&link->mutex);
  while (link->answer_count == 0 && status == GENIE_OK) {
    status = failure_of(link);
    if (status == GENIE_OK) {
      status = wait_for_change(link, deadline);
    }
  }
  if (link->answer_count > 0) {
    genie_status_free(status);
    status = GENIE_OK;
    *out_answer = link->answers[0];
    --link->answer_count;
    memmove(link->answers, link->answers + 1, link->answer_count * sizeof(*link->answers));
  }
  pthread_mutex_unlock(&link->mutex);
  return status;
}

genie_status_t genie_node_link_receive(genie_node_link_t *link, genie_wire_kind_t kind, genie_wire_kind_t other_kind,
                                       genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) {
  genie_wire_control_t answer = {0};
  GENIE_RETURN_IF_ERROR(next_answer(link, deadline, &answer));
  if (answer.kind == kind || answer.kind == other_kind) {
    *out_answer = answer;
    return GENIE_OK;
  }
  char name[kNameBytes + 16];
  snprintf(name, sizeof(name), "node '%s'", link->name);
  const genie_status_t status =
      answer.kind == GENIE_WIRE_ERROR
          ? genie_wire_error_status(answer.error, name)
          : genie_status_make(GENIE_STATUS_INTERNAL, "node '%s' answers with message %d", link->name, (int)answer.kind);
  genie_wire_control_deinit(&answer);
  return status;
}

genie_status_t genie_node_link_request(genie_node_link_t *link, genie_wire_kind_t request,
                                       const ProtobufCMessage *message, genie_wire_kind_t kind,
                                       genie_deadline_ns_t deadline, genie_wire_control_t *out_answer) {
  GENIE_RETURN_IF_ERROR(genie_node_link_send(link, request, message, NULL, 0));
  return genie_node_link_receive(link, kind, kind, deadline, out_answer);
}

void genie_node_link_expect_payload(genie_node_link_t *link, void *memory, uint64_t size_bytes) {
  pthread_mutex_lock(&link->mutex);
  link->expected = memory;
  link->expected_bytes = size_bytes;
  pthread_mutex_unlock(&link->mutex);
}

void genie_node_link_forget_payload(genie_node_link_t *link) {
  pthread_mutex_lock(&link->mutex);
  while (link->is_receiving) {
    pthread_cond_wait(&link->changed, &link->mutex);
  }
  link->expected = NULL;
  pthread_mutex_unlock(&link->mutex);
}

void genie_node_link_cancel(genie_node_link_t *link, uint64_t session_id, uint64_t call_id) {
  genie_wire_cancel_t cancel;
  genie_wire_cancel_init(session_id, call_id, GENIE_STATUS_CANCELLED, &cancel);
  genie_status_free(genie_channel_send(link->channel,
                                       &(genie_message_t){.header = &cancel, .header_bytes = sizeof(cancel)},
                                       genie_deadline_after_ns(GENIE_LIVENESS_INTERVAL_NS)));
}

genie_status_t genie_node_link_dial(genie_node_link_t *link, const genie_wire_hello_t *hello,
                                    genie_deadline_ns_t deadline, genie_channel_t **out_channel) {
  genie_wire_hello_t named = *hello;
  if (named.software[0] == '\0') {
    snprintf(named.software, sizeof(named.software), "libgenie");
  }
  return dial(link, &named, deadline, out_channel);
}
