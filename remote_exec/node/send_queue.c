#include "remote_exec/node/send_queue.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { kMessageBytes = 512 };

typedef struct slot {
  genie_send_item_t item;
  void *copy;
  uint64_t capacity_bytes;
  bool is_full;  // copied; the thread may send it
} slot_t;

struct genie_send_queue {
  genie_allocator_t allocator;
  genie_send_fn_t send;
  void *context;
  pthread_mutex_t mutex;  // of all below; a slot that is taken and not full is its pusher's
  pthread_cond_t changed;
  slot_t slots[GENIE_SEND_QUEUE_DEPTH];
  uint32_t first, count;  // slots that are taken, in their order
  pthread_t thread;
  bool has_thread;
  bool is_ending;
  genie_status_code_t failure;  // OK, or why nothing is sent any more
  char message[kMessageBytes];
};

static genie_status_t check(const genie_send_queue_t *queue) {
  return queue->failure == GENIE_STATUS_OK ? GENIE_OK : genie_status_make(queue->failure, "%s", queue->message);
}

// Takes the status. The first failure stays; a deadline that passed is of one call, and its receiver's to tell.
static void fail(genie_send_queue_t *queue, genie_status_t status) {
  if (status != GENIE_OK && queue->failure == GENIE_STATUS_OK &&
      genie_status_code(status) != GENIE_STATUS_DEADLINE_EXCEEDED) {
    queue->failure = genie_status_code(status);
    snprintf(queue->message, sizeof(queue->message), "%s", genie_status_message(status));
  }
  genie_status_free(status);
}

// ---- The thread ----

static void *thread_main(void *argument) {
  genie_send_queue_t *queue = argument;
  pthread_mutex_lock(&queue->mutex);
  while (!queue->is_ending) {
    slot_t *slot = &queue->slots[queue->first];
    if (queue->count == 0 || !slot->is_full) {
      pthread_cond_wait(&queue->changed, &queue->mutex);
      continue;
    }
    genie_status_t status = GENIE_OK;
    if (queue->failure == GENIE_STATUS_OK) {
      pthread_mutex_unlock(&queue->mutex);
      status = queue->send(queue->context, &slot->item, slot->copy);
      pthread_mutex_lock(&queue->mutex);
    }
    fail(queue, status);
    slot->is_full = false;
    queue->first = (queue->first + 1) % GENIE_SEND_QUEUE_DEPTH;
    --queue->count;
    pthread_cond_broadcast(&queue->changed);
  }
  pthread_mutex_unlock(&queue->mutex);
  return NULL;
}

// The thread is there from the first large tensor on.
static genie_status_t require_thread(genie_send_queue_t *queue) {
  if (!queue->has_thread && pthread_create(&queue->thread, NULL, thread_main, queue) != 0) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no more threads");
  }
  queue->has_thread = true;
  return GENIE_OK;
}

// ---- Pushing ----

static genie_status_t wait_for_room(genie_send_queue_t *queue, genie_deadline_ns_t deadline) {
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  while (queue->count == GENIE_SEND_QUEUE_DEPTH && queue->failure == GENIE_STATUS_OK) {
    if (deadline == GENIE_DEADLINE_NEVER) {
      pthread_cond_wait(&queue->changed, &queue->mutex);
    } else if (pthread_cond_timedwait(&queue->changed, &queue->mutex, &until) != 0 &&
               genie_deadline_has_passed(deadline)) {
      return genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed in a wait for the connection");
    }
  }
  return check(queue);
}

static genie_status_t copy_to_slot(genie_send_queue_t *queue, slot_t *slot, const genie_send_item_t *item,
                                   const void *address) {
  if (slot->capacity_bytes < item->size_bytes) {
    genie_allocator_free(queue->allocator, slot->copy);
    slot->copy = NULL;
    slot->capacity_bytes = 0;
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(queue->allocator, item->size_bytes, 1, &slot->copy));
    slot->capacity_bytes = item->size_bytes;
  }
  if (item->size_bytes > 0) {
    memcpy(slot->copy, address, item->size_bytes);
  }
  slot->item = *item;
  return GENIE_OK;
}

// With the mutex held, which the copying lets go.
static genie_status_t enqueue(genie_send_queue_t *queue, const genie_send_item_t *item, const void *address) {
  GENIE_RETURN_IF_ERROR(wait_for_room(queue, item->deadline));
  GENIE_RETURN_IF_ERROR(require_thread(queue));
  slot_t *slot = &queue->slots[(queue->first + queue->count++) % GENIE_SEND_QUEUE_DEPTH];
  pthread_mutex_unlock(&queue->mutex);
  const genie_status_t copied = copy_to_slot(queue, slot, item, address);
  pthread_mutex_lock(&queue->mutex);
  if (copied != GENIE_OK) {
    queue->failure = genie_status_code(copied);  // the slot goes through the thread, unsent
    snprintf(queue->message, sizeof(queue->message), "%s", genie_status_message(copied));
  }
  slot->is_full = true;
  pthread_cond_broadcast(&queue->changed);
  return copied;
}

genie_status_t genie_send_queue_push(genie_send_queue_t *queue, const genie_send_item_t *item, const void *address) {
  pthread_mutex_lock(&queue->mutex);
  genie_status_t status = check(queue);
  const bool is_direct = item->size_bytes < GENIE_SEND_QUEUE_LEAST_BYTES && queue->count == 0;
  if (status == GENIE_OK && !is_direct) {
    status = enqueue(queue, item, address);
  }
  pthread_mutex_unlock(&queue->mutex);
  return status == GENIE_OK && is_direct ? queue->send(queue->context, item, address) : status;
}

// ---- Construction ----

genie_status_t genie_send_queue_create(genie_send_fn_t send, void *context, genie_allocator_t allocator,
                                       genie_send_queue_t **out_queue) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_send_queue_t), &memory));
  genie_send_queue_t *queue = memory;
  queue->allocator = allocator;
  queue->send = send;
  queue->context = context;
  queue->failure = GENIE_STATUS_OK;
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&queue->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  *out_queue = queue;
  return GENIE_OK;
}

void genie_send_queue_destroy(genie_send_queue_t *queue) {
  if (queue == NULL) {
    return;
  }
  pthread_mutex_lock(&queue->mutex);
  queue->is_ending = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
  if (queue->has_thread) {
    pthread_join(queue->thread, NULL);
  }
  for (int i = 0; i < GENIE_SEND_QUEUE_DEPTH; ++i) {
    genie_allocator_free(queue->allocator, queue->slots[i].copy);
  }
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->mutex);
  genie_allocator_free(queue->allocator, queue);
}
