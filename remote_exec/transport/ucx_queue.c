#include "remote_exec/transport/ucx_queue.h"

#include <string.h>

static void fail(genie_ucx_queue_t *queue, const char *why) {
  if (queue->failure == NULL) {
    queue->failure = why;
  }
}

// Memory that a peer makes us take is bounded: a sender that goes on and on is cut off.
static void *copy_of(genie_ucx_queue_t *queue, const void *data, size_t bytes) {
  void *memory = NULL;
  if (queue->copied_bytes + bytes > GENIE_UCX_MAX_WAITING_BYTES) {
    fail(queue, "sends more than it may without waiting");
    return NULL;
  }
  const genie_status_t status = genie_allocator_allocate_array(queue->fabric->allocator, bytes + 1, 1, &memory);
  if (status != GENIE_OK) {
    genie_status_free(status);
    fail(queue, "sends more than there is memory for");
    return NULL;
  }
  memcpy(memory, data, bytes);
  queue->copied_bytes += bytes;
  return memory;
}

// The entry of `sequence`, made when there is none; NULL when the peer breaks the rules.
static genie_ucx_incoming_t *find_or_make(genie_ucx_queue_t *queue, uint64_t sequence) {
  if (sequence - queue->next_sequence >= GENIE_UCX_MAX_WAITING) {
    fail(queue, "sends a message out of sequence, or too many at once");
    return NULL;
  }
  genie_ucx_incoming_t **link = &queue->first;
  while (*link != NULL && (*link)->head.sequence < sequence) {
    link = &(*link)->next;
  }
  if (*link != NULL && (*link)->head.sequence == sequence) {
    return *link;
  }
  void *memory = NULL;
  const genie_status_t status =
      genie_allocator_allocate_array(queue->fabric->allocator, 1, sizeof(genie_ucx_incoming_t), &memory);
  if (status != GENIE_OK) {
    genie_status_free(status);
    fail(queue, "sends more than there is memory for");
    return NULL;
  }
  genie_ucx_incoming_t *incoming = memory;
  incoming->head.sequence = sequence;
  incoming->next = *link;
  *link = incoming;
  ++queue->count;
  return incoming;
}

static bool is_head_good(const genie_ucx_queue_t *queue, const genie_ucx_head_t *head, size_t head_bytes,
                         size_t data_bytes) {
  const bool is_apart = (head->flags & GENIE_UCX_HEADER_APART) != 0;
  const size_t inline_bytes = head_bytes - sizeof(*head);
  return head->header_bytes > 0 && head->header_bytes <= GENIE_CHANNEL_MAX_HEADER_BYTES &&
         inline_bytes == (is_apart ? 0 : head->header_bytes) && head->payload_bytes == data_bytes &&
         head->payload_bytes <= queue->max_payload_bytes &&
         (head->flags & ~(uint32_t)(GENIE_UCX_HAS_CHECKSUM | GENIE_UCX_HEADER_APART)) == 0;
}

// Keeps the data where it is when UCX allows that.
static ucs_status_t keep_data(genie_ucx_queue_t *queue, genie_ucx_incoming_t *incoming, void *data, size_t data_bytes,
                              const ucp_am_recv_param_t *param) {
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) {
    incoming->payload = GENIE_UCX_PAYLOAD_REMOTE;
    incoming->data = data;
    return UCS_INPROGRESS;
  }
  if (data_bytes == 0) {
    return UCS_OK;
  }
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_DATA) != 0) {
    incoming->payload = GENIE_UCX_PAYLOAD_LENT;
    incoming->data = data;
    return UCS_INPROGRESS;
  }
  incoming->data = copy_of(queue, data, data_bytes);
  incoming->payload = incoming->data != NULL ? GENIE_UCX_PAYLOAD_COPY : GENIE_UCX_PAYLOAD_NONE;
  return UCS_OK;
}

ucs_status_t genie_ucx_queue_take_message(void *argument, const void *head, size_t head_bytes, void *data,
                                          size_t data_bytes, const ucp_am_recv_param_t *param) {
  genie_ucx_queue_t *queue = argument;
  genie_ucx_head_t read;
  if (head_bytes < sizeof(read)) {
    fail(queue, "sends bytes that are no message");
    return UCS_OK;
  }
  memcpy(&read, head, sizeof(read));
  genie_ucx_incoming_t *incoming =
      is_head_good(queue, &read, head_bytes, data_bytes) ? find_or_make(queue, read.sequence) : NULL;
  if (incoming == NULL || incoming->has_head) {
    fail(queue, "sends bytes that are no message");
    return UCS_OK;
  }
  if (incoming->has_header && incoming->head.header_bytes != read.header_bytes) {
    fail(queue, "sends two headers of one message");
    return UCS_OK;
  }
  incoming->head = read;
  incoming->has_head = true;
  if ((read.flags & GENIE_UCX_HEADER_APART) == 0) {
    incoming->header = copy_of(queue, (const uint8_t *)head + sizeof(read), read.header_bytes);
    incoming->has_header = incoming->header != NULL;
  }
  return keep_data(queue, incoming, data, data_bytes, param);
}

ucs_status_t genie_ucx_queue_take_header(void *argument, const void *head, size_t head_bytes, void *data,
                                         size_t data_bytes, const ucp_am_recv_param_t *param) {
  genie_ucx_queue_t *queue = argument;
  genie_ucx_head_t read;
  const bool is_remote = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
  if (is_remote || head_bytes != sizeof(read) || data_bytes == 0 || data_bytes > GENIE_CHANNEL_MAX_HEADER_BYTES) {
    fail(queue, "sends a header that is none");
    return UCS_OK;
  }
  memcpy(&read, head, sizeof(read));
  genie_ucx_incoming_t *incoming = find_or_make(queue, read.sequence);
  if (incoming == NULL || incoming->has_header || (incoming->has_head && incoming->head.header_bytes != data_bytes)) {
    fail(queue, "sends a header that belongs to no message");
    return UCS_OK;
  }
  incoming->head.header_bytes = (uint32_t)data_bytes;
  incoming->header = copy_of(queue, data, data_bytes);
  incoming->has_header = incoming->header != NULL;
  return UCS_OK;
}

genie_ucx_incoming_t *genie_ucx_queue_peek(genie_ucx_queue_t *queue) {
  genie_ucx_incoming_t *first = queue->first;
  const bool is_next =
      first != NULL && first->head.sequence == queue->next_sequence && first->has_head && first->has_header;
  return is_next ? first : NULL;
}

void genie_ucx_queue_take(genie_ucx_queue_t *queue) {
  queue->first = queue->first->next;
  ++queue->next_sequence;
  --queue->count;
}

void genie_ucx_queue_release(genie_ucx_queue_t *queue, genie_ucx_incoming_t *incoming) {
  if (incoming == NULL) {
    return;
  }
  if (incoming->payload == GENIE_UCX_PAYLOAD_REMOTE || incoming->payload == GENIE_UCX_PAYLOAD_LENT) {
    queue->fabric->call.ucp_am_data_release(queue->worker, incoming->data);
  } else if (incoming->payload == GENIE_UCX_PAYLOAD_COPY) {
    queue->copied_bytes -= incoming->head.payload_bytes;
    genie_allocator_free(queue->fabric->allocator, incoming->data);
  }
  if (incoming->header != NULL) {
    queue->copied_bytes -= incoming->head.header_bytes;
  }
  genie_allocator_free(queue->fabric->allocator, incoming->header);
  genie_allocator_free(queue->fabric->allocator, incoming);
}

void genie_ucx_queue_deinit(genie_ucx_queue_t *queue) {
  while (queue->first != NULL) {
    genie_ucx_incoming_t *incoming = queue->first;
    queue->first = incoming->next;
    genie_ucx_queue_release(queue, incoming);
  }
}
