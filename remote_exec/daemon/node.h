// What all parts of a running genied share.
#ifndef GENIE_REMOTE_EXEC_DAEMON_NODE_H_
#define GENIE_REMOTE_EXEC_DAEMON_NODE_H_

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "remote_exec/daemon/keeper.h"
#include "remote_exec/daemon/log.h"
#include "remote_exec/daemon/node_arena.h"
#include "remote_exec/daemon/options.h"
#include "remote_exec/daemon/session_table.h"
#include "remote_exec/identity/authorized_keys.h"
#include "remote_exec/metrics/metrics.h"
#include "remote_exec/store/store.h"
#include "remote_exec/transport/ucx.h"

enum { GENIE_NODE_DEVICES = 64 };

// A device of the machine.
typedef struct genie_node_device {
  const char *kind;  // static storage
  uint32_t ordinal;
} genie_node_device_t;

// Immutable after start but for what is thread-safe itself.
typedef struct genie_node {
  genie_allocator_t allocator;
  const genie_daemon_options_t *options;
  genie_log_t log;
  genie_identity_t *identity;
  genie_authorized_keys_t *authorized_keys;
  genie_budget_t *budget;
  genie_session_table_t *sessions;
  genie_store_t *store;
  genie_ucx_fabric_t *fabric;  // NULL without --ucx
  genie_node_arena_t arena;    // of the heap without --network-memory
  genie_metrics_t metrics;
  char software[128];
  char code_directory[4096];  // where devices keep code that they compiled
  uint64_t start_ns;
  const genie_keeper_life_t *life;  // NULL without a keeper
  pthread_t main_thread;
  pthread_mutex_t lost_mutex;  // lost_device.h
  genie_node_device_t lost[GENIE_NODE_DEVICES];
  uint32_t lost_count;
  atomic_bool is_draining;  // no further sessions
  atomic_uint_least64_t call_count;
  atomic_uint_least64_t failed_call_count;
} genie_node_t;

// Whom the node lets in: keys of authorized_keys, and other nodes that a session names.
genie_trust_t genie_node_trust(genie_node_t *node);

// Whether a session may use carrier `name`, "" or "stream" or "ucx". FAILED_PRECONDITION: the operator does not take
// it.
genie_status_t genie_node_check_carrier(const genie_node_t *node, const char *name, bool *out_is_ucx) GENIE_MUST_USE;

// Puts the ucx carrier beside a greeted stream channel, which it takes, also on failure. `side` is ours.
genie_status_t genie_node_open_ucx(genie_node_t *node, genie_channel_t *control, genie_wire_side_t side,
                                   genie_channel_t **out_channel) GENIE_MUST_USE;

// The kind of the device that `name`, as in "cpu0", stands for. NOT_FOUND lists the devices that plans may use.
genie_status_t genie_node_find_device(const genie_node_t *node, const char *name, const char **out_kind,
                                      uint32_t *out_ordinal) GENIE_MUST_USE;

// Whether devices of this kind can be lost while the process lives on.
bool genie_node_can_lose(const char *kind);

// Calls `visit` with each device that plans may use.
typedef void (*genie_node_device_fn_t)(void *context, const char *name, const char *kind, uint32_t ordinal);
void genie_node_list_devices(const genie_node_t *node, genie_node_device_fn_t visit, void *context);

#endif  // GENIE_REMOTE_EXEC_DAEMON_NODE_H_
