// Inside of a share: share.c makes and ends it and knows its tensors, peers and states; share_calls.c runs calls.
#ifndef GENIE_REMOTE_EXEC_NODE_SHARE_STATE_H_
#define GENIE_REMOTE_EXEC_NODE_SHARE_STATE_H_

#include <pthread.h>

#include "remote_exec/node/mailbox.h"
#include "remote_exec/node/peer_link.h"
#include "remote_exec/node/share.h"

// Where an input or output of the share is: tensor `index` of hosted place `hosted`.
typedef struct genie_share_home {
  uint32_t position;
  uint32_t hosted;
  uint32_t index;
} genie_share_home_t;

typedef struct genie_share_entry {
  genie_share_home_t *inputs;
  genie_share_home_t *outputs;
  uint32_t input_count, output_count;
} genie_share_entry_t;

typedef struct genie_share_hosted {
  genie_exchange_t exchange;  // first: what the executor knows of it
  genie_share_t *share;
  uint32_t place;
  genie_place_program_t *program;
  void **addresses;          // of the place's inputs, then outputs, in the call that it runs
  genie_share_call_t *call;  // that it runs
  pthread_t thread;
  bool has_thread;
  uint64_t begun_count;  // calls that it has begun
} genie_share_hosted_t;

struct genie_share {
  genie_allocator_t allocator;
  const genie_model_t *model;
  genie_share_hosted_t *hosted;
  uint32_t hosted_count;  // that have a program
  genie_share_entry_t *entries;
  genie_share_home_t *homes;  // memory of all entries'
  bool *is_ours;              // [place_count]
  genie_mailbox_t *mailbox;
  genie_trace_t *trace;  // or NULL
  uint32_t bound_entry;  // of the next genie_share_run()

  pthread_mutex_t mutex;  // of all below
  pthread_cond_t changed;
  genie_peer_link_t **links;  // [place_count] room
  uint32_t link_count;
  // Calls that were given to the places: number n is calls[n % GENIE_SHARE_DEPTH] until it has ended. Every place takes
  // each of them in their order, so they end in their order too.
  genie_share_call_t *calls[GENIE_SHARE_DEPTH];
  uint64_t call_count, ended_count;
  bool is_ending;
};

extern const genie_exchange_ops_t genie_share_exchange_ops;

// The connection to the node that hosts a place, or NULL; with the mutex.
genie_peer_link_t *genie_share_find_link(genie_share_t *share, uint32_t place);

// The thread of a hosted place but the first.
genie_status_t genie_share_start_thread(genie_share_hosted_t *hosted) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_NODE_SHARE_STATE_H_
