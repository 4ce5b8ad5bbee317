// A process above the one that serves, which starts it anew when it has lost a device.
//
// A GPU whose context ended with a fault is of no more use to the process that had it, and a process that filters its
// system calls can start no other. So a node with such devices is two processes: the keeper, which opens nothing, talks
// to nobody and waits, and the server, its child. Signals that end the keeper are passed on; the server ends when the
// keeper is gone. The server's states reach the service manager by way of the keeper, whose process it knows.
#ifndef GENIE_REMOTE_EXEC_DAEMON_KEEPER_H_
#define GENIE_REMOTE_EXEC_DAEMON_KEEPER_H_

#include <stdint.h>

#include "remote_exec/daemon/log.h"

// What a server ends with when it wants to be started again.
enum { GENIE_KEEPER_RESTART = 75, GENIE_KEEPER_ADDRESS_BYTES = 128 };

// What a server knows of its keeper.
typedef struct genie_keeper_life {
  uint32_t restart_count;                    // lives before this one
  char address[GENIE_KEEPER_ADDRESS_BYTES];  // where the life before listened; "": none did
  int file;                                  // to the keeper
} genie_keeper_life_t;

// Serves, in a process of its own, and gives its exit status.
typedef int (*genie_keeper_serve_fn_t)(void *context, const genie_keeper_life_t *life);

// Keeps a server until it ends by itself or a signal ends it, and gives the exit status of the last one; 1 when a
// signal killed that. Lives of less than a minute are followed by growing pauses. No thread runs yet. `notify_socket`
// is as genie_notify_send() takes it.
int genie_keeper_run(genie_keeper_serve_fn_t serve, void *context, const genie_log_t *log, const char *notify_socket);

// From the server: it listens here, and the next life is to; and a state for the service manager.
void genie_keeper_tell_address(const genie_keeper_life_t *life, const char *address);
void genie_keeper_tell_state(const genie_keeper_life_t *life, const char *state);

// From the server, once it has the user that it stays: it ends with its keeper.
void genie_keeper_follow(void);

#endif  // GENIE_REMOTE_EXEC_DAEMON_KEEPER_H_
