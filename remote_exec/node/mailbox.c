#include "remote_exec/node/mailbox.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { kMessageBytes = 512, kRememberedCancels = 64 };

// One tensor that arrived before its place asked.
typedef struct parcel {
  struct parcel *next;
  uint64_t call;
  uint64_t size_bytes;
  uint8_t *bytes;
} parcel_t;

// A place that waits.
typedef struct waiter {
  uint64_t call;
  void *address;
  uint64_t size_bytes;
  bool is_filling;  // a delivery writes to `address`
  bool is_done;
  genie_status_t status;
} waiter_t;

typedef struct shelf {
  uint64_t maximum_bytes;
  parcel_t *first;
  parcel_t **last;
  uint32_t parcel_count;
  waiter_t *waiter;  // one place takes a transfer
} shelf_t;

struct genie_mailbox {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  shelf_t *shelves;
  uint32_t shelf_count;
  uint64_t cancelled_calls[kRememberedCancels];  // a ring
  genie_status_code_t cancel_codes[kRememberedCancels];
  uint32_t next_cancel;
  uint64_t finished_call;       // it and all before
  genie_status_code_t failure;  // OK: none
  char failure_message[kMessageBytes];
};

genie_status_t genie_mailbox_create(const uint64_t *maximum_bytes, uint32_t transfer_count, genie_allocator_t allocator,
                                    genie_mailbox_t **out_mailbox) {
  void *memory = NULL;
  void *shelves = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_mailbox_t), &memory));
  const genie_status_t status = genie_allocator_allocate_array(allocator, transfer_count, sizeof(shelf_t), &shelves);
  if (status != GENIE_OK) {
    genie_allocator_free(allocator, memory);
    return status;
  }
  genie_mailbox_t *mailbox = memory;
  mailbox->allocator = allocator;
  mailbox->shelves = shelves;
  mailbox->shelf_count = transfer_count;
  for (uint32_t i = 0; i < transfer_count; ++i) {
    mailbox->shelves[i].maximum_bytes = maximum_bytes[i];
    mailbox->shelves[i].last = &mailbox->shelves[i].first;
  }
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&mailbox->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&mailbox->mutex, NULL);
  *out_mailbox = mailbox;
  return GENIE_OK;
}

static void free_parcel(genie_mailbox_t *mailbox, parcel_t *parcel) {
  genie_allocator_free(mailbox->allocator, parcel->bytes);
  genie_allocator_free(mailbox->allocator, parcel);
}

static parcel_t *pop_parcel(shelf_t *shelf) {
  parcel_t *parcel = shelf->first;
  shelf->first = parcel->next;
  if (shelf->first == NULL) {
    shelf->last = &shelf->first;
  }
  --shelf->parcel_count;
  return parcel;
}

void genie_mailbox_destroy(genie_mailbox_t *mailbox) {
  if (mailbox == NULL) {
    return;
  }
  for (uint32_t i = 0; i < mailbox->shelf_count; ++i) {
    while (mailbox->shelves[i].first != NULL) {
      free_parcel(mailbox, pop_parcel(&mailbox->shelves[i]));
    }
  }
  pthread_cond_destroy(&mailbox->changed);
  pthread_mutex_destroy(&mailbox->mutex);
  genie_allocator_free(mailbox->allocator, mailbox->shelves);
  genie_allocator_free(mailbox->allocator, mailbox);
}

// ---- Delivery ----

static genie_status_t check_delivery(const genie_mailbox_t *mailbox, uint32_t transfer, uint64_t size_bytes) {
  if (transfer >= mailbox->shelf_count) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "transfer %u: the plan has %u", transfer, mailbox->shelf_count);
  }
  if (size_bytes > mailbox->shelves[transfer].maximum_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "transfer %u brings %llu bytes; the plan allows %llu", transfer,
                             (unsigned long long)size_bytes,
                             (unsigned long long)mailbox->shelves[transfer].maximum_bytes);
  }
  return GENIE_OK;
}

// The waiter of this call when the bytes fit it; it is marked as filling.
static waiter_t *claim_waiter(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, uint64_t size_bytes) {
  pthread_mutex_lock(&mailbox->mutex);
  waiter_t *waiter = mailbox->shelves[transfer].waiter;
  if (waiter != NULL && (waiter->call != call || waiter->size_bytes != size_bytes)) {
    waiter = NULL;
  }
  if (waiter != NULL) {
    waiter->is_filling = true;
  }
  pthread_mutex_unlock(&mailbox->mutex);
  return waiter;
}

// A failed status is one thread's: the place gets its own.
static genie_status_t fill_waiter(genie_mailbox_t *mailbox, waiter_t *waiter, const genie_mailbox_source_t *source) {
  const genie_status_t status = source->fill(source->self, waiter->address, waiter->size_bytes);
  pthread_mutex_lock(&mailbox->mutex);
  waiter->is_filling = false;
  waiter->is_done = true;
  waiter->status =
      status == GENIE_OK ? GENIE_OK : genie_status_make(genie_status_code(status), "%s", genie_status_message(status));
  pthread_cond_broadcast(&mailbox->changed);
  pthread_mutex_unlock(&mailbox->mutex);
  return status;
}

static genie_status_t make_parcel(genie_mailbox_t *mailbox, uint64_t call, uint64_t size_bytes,
                                  const genie_mailbox_source_t *source, parcel_t **out_parcel) {
  void *memory = NULL;
  void *bytes = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(mailbox->allocator, 1, sizeof(parcel_t), &memory));
  parcel_t *parcel = memory;
  genie_status_t status = GENIE_OK;
  bytes = mailbox->allocator.allocate(mailbox->allocator.self, size_bytes == 0 ? 64 : size_bytes, 64);
  if (bytes == NULL) {
    status = genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory for a tensor of %llu bytes",
                               (unsigned long long)size_bytes);
  }
  *parcel = (parcel_t){.call = call, .size_bytes = size_bytes, .bytes = bytes};
  if (status == GENIE_OK) {
    status = source->fill(source->self, bytes, size_bytes);
  }
  if (status != GENIE_OK) {
    free_parcel(mailbox, parcel);
    return status;
  }
  *out_parcel = parcel;
  return GENIE_OK;
}

static genie_status_t shelve(genie_mailbox_t *mailbox, uint32_t transfer, parcel_t *parcel) {
  shelf_t *shelf = &mailbox->shelves[transfer];
  pthread_mutex_lock(&mailbox->mutex);
  if (parcel->call <= mailbox->finished_call) {
    pthread_mutex_unlock(&mailbox->mutex);
    free_parcel(mailbox, parcel);
    return GENIE_OK;
  }
  const bool has_room = shelf->parcel_count < GENIE_MAILBOX_DEPTH;
  if (has_room) {
    *shelf->last = parcel;
    shelf->last = &parcel->next;
    ++shelf->parcel_count;
    pthread_cond_broadcast(&mailbox->changed);
  }
  pthread_mutex_unlock(&mailbox->mutex);
  if (!has_room) {
    free_parcel(mailbox, parcel);
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "transfer %u: %d tensors wait already", transfer,
                             GENIE_MAILBOX_DEPTH);
  }
  return GENIE_OK;
}

genie_status_t genie_mailbox_deliver(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, uint64_t size_bytes,
                                     const genie_mailbox_source_t *source) {
  GENIE_RETURN_IF_ERROR(check_delivery(mailbox, transfer, size_bytes));
  waiter_t *waiter = claim_waiter(mailbox, call, transfer, size_bytes);
  if (waiter != NULL) {
    return fill_waiter(mailbox, waiter, source);
  }
  parcel_t *parcel = NULL;
  GENIE_RETURN_IF_ERROR(make_parcel(mailbox, call, size_bytes, source, &parcel));
  return shelve(mailbox, transfer, parcel);
}

// ---- Taking ----

// The parcel of `call`, those of earlier calls dropped; NULL when it is not there.
static parcel_t *find_parcel(genie_mailbox_t *mailbox, shelf_t *shelf, uint64_t call) {
  while (shelf->first != NULL && shelf->first->call < call) {
    free_parcel(mailbox, pop_parcel(shelf));
  }
  return shelf->first != NULL && shelf->first->call == call ? pop_parcel(shelf) : NULL;
}

static genie_status_t open_parcel(genie_mailbox_t *mailbox, uint32_t transfer, parcel_t *parcel, void *address,
                                  uint64_t size_bytes) {
  genie_status_t status = GENIE_OK;
  if (parcel->size_bytes != size_bytes) {
    status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "transfer %u brought %llu bytes, %llu are due", transfer,
                               (unsigned long long)parcel->size_bytes, (unsigned long long)size_bytes);
  } else if (size_bytes > 0) {
    memcpy(address, parcel->bytes, size_bytes);
  }
  free_parcel(mailbox, parcel);
  return status;
}

// OK: the call was not cancelled.
static genie_status_code_t cancel_code(const genie_mailbox_t *mailbox, uint64_t call) {
  for (uint32_t i = 0; i < kRememberedCancels; ++i) {
    if (mailbox->cancelled_calls[i] == call) {
      return mailbox->cancel_codes[i];
    }
  }
  return GENIE_STATUS_OK;
}

// Why a wait for `call` ends without its tensor, or OK to go on.
static genie_status_t check_wait(const genie_mailbox_t *mailbox, uint64_t call, genie_deadline_ns_t deadline) {
  if (mailbox->failure != GENIE_STATUS_OK) {
    return genie_status_make(mailbox->failure, "%s", mailbox->failure_message);
  }
  const genie_status_code_t code = cancel_code(mailbox, call);
  if (code != GENIE_STATUS_OK) {
    return genie_status_make(
        code, "%s", code == GENIE_STATUS_CANCELLED ? "the call was cancelled" : "the call failed at another place");
  }
  return genie_deadline_has_passed(deadline)
             ? genie_status_make(GENIE_STATUS_DEADLINE_EXCEEDED, "the deadline passed in a wait for another place")
             : GENIE_OK;
}

static void wait_for_change(genie_mailbox_t *mailbox, genie_deadline_ns_t deadline) {
  if (deadline == GENIE_DEADLINE_NEVER) {
    pthread_cond_wait(&mailbox->changed, &mailbox->mutex);
    return;
  }
  const struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
  pthread_cond_timedwait(&mailbox->changed, &mailbox->mutex, &until);
}

// The mutex is held. While a delivery writes to the place's memory, nothing else ends the wait: the delivery has a
// deadline of its own.
static genie_status_t await_delivery(genie_mailbox_t *mailbox, shelf_t *shelf, waiter_t *waiter,
                                     genie_deadline_ns_t deadline, parcel_t **out_parcel) {
  genie_status_t status = GENIE_OK;
  shelf->waiter = waiter;
  while (!waiter->is_done) {
    if (!waiter->is_filling) {
      *out_parcel = find_parcel(mailbox, shelf, waiter->call);
      status = *out_parcel == NULL ? check_wait(mailbox, waiter->call, deadline) : GENIE_OK;
      if (*out_parcel != NULL || status != GENIE_OK) {
        break;
      }
    }
    wait_for_change(mailbox, waiter->is_filling ? GENIE_DEADLINE_NEVER : deadline);
  }
  shelf->waiter = NULL;
  return waiter->is_done ? waiter->status : status;
}

genie_status_t genie_mailbox_take(genie_mailbox_t *mailbox, uint64_t call, uint32_t transfer, void *address,
                                  uint64_t size_bytes, genie_deadline_ns_t deadline) {
  shelf_t *shelf = &mailbox->shelves[transfer];
  waiter_t waiter = {.call = call, .address = address, .size_bytes = size_bytes};
  parcel_t *parcel = NULL;
  pthread_mutex_lock(&mailbox->mutex);
  const genie_status_t status = await_delivery(mailbox, shelf, &waiter, deadline, &parcel);
  pthread_mutex_unlock(&mailbox->mutex);
  return parcel == NULL ? status : open_parcel(mailbox, transfer, parcel, address, size_bytes);
}

// ---- Endings ----

void genie_mailbox_cancel(genie_mailbox_t *mailbox, uint64_t call, genie_status_code_t code) {
  pthread_mutex_lock(&mailbox->mutex);
  if (cancel_code(mailbox, call) == GENIE_STATUS_OK) {
    const uint32_t slot = mailbox->next_cancel++ % kRememberedCancels;
    mailbox->cancelled_calls[slot] = call;
    mailbox->cancel_codes[slot] = code;
    pthread_cond_broadcast(&mailbox->changed);
  }
  pthread_mutex_unlock(&mailbox->mutex);
}

void genie_mailbox_finish(genie_mailbox_t *mailbox, uint64_t call) {
  pthread_mutex_lock(&mailbox->mutex);
  mailbox->finished_call = call > mailbox->finished_call ? call : mailbox->finished_call;
  for (uint32_t i = 0; i < mailbox->shelf_count; ++i) {
    while (mailbox->shelves[i].first != NULL && mailbox->shelves[i].first->call <= call) {
      free_parcel(mailbox, pop_parcel(&mailbox->shelves[i]));
    }
  }
  pthread_mutex_unlock(&mailbox->mutex);
}

void genie_mailbox_fail(genie_mailbox_t *mailbox, genie_status_code_t code, const char *message) {
  pthread_mutex_lock(&mailbox->mutex);
  if (mailbox->failure == GENIE_STATUS_OK) {
    mailbox->failure = code;
    snprintf(mailbox->failure_message, sizeof(mailbox->failure_message), "%s", message);
    pthread_cond_broadcast(&mailbox->changed);
  }
  pthread_mutex_unlock(&mailbox->mutex);
}

genie_status_t genie_mailbox_check(genie_mailbox_t *mailbox, uint64_t call) {
  pthread_mutex_lock(&mailbox->mutex);
  const genie_status_t status = check_wait(mailbox, call, GENIE_DEADLINE_NEVER);
  pthread_mutex_unlock(&mailbox->mutex);
  return status;
}
