// What genied says: one line an event on stderr, as text for people or JSON for machines.
//
// Thread-safe: a line is one write. Values from the network are quoted, so that a peer cannot forge a line.
#ifndef GENIE_REMOTE_EXEC_DAEMON_LOG_H_
#define GENIE_REMOTE_EXEC_DAEMON_LOG_H_

#include "runtime/base/status.h"

typedef enum genie_log_level {
  GENIE_LOG_INFO,
  GENIE_LOG_WARNING,
  GENIE_LOG_ERROR,
} genie_log_level_t;

// Copied by value; `file` outlives its users.
typedef struct genie_log {
  int file;
  bool is_json;
} genie_log_t;

// Writes an event with a printf-formatted message, at most 1 KiB of it. `peer` says whom it is about: an address, a
// fingerprint; NULL: nobody.
void genie_log_write(const genie_log_t *log, genie_log_level_t level, const char *peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Writes the message of a failed status and frees it; does nothing for GENIE_OK.
void genie_log_take_status(const genie_log_t *log, genie_log_level_t level, const char *peer, genie_status_t status);

#endif  // GENIE_REMOTE_EXEC_DAEMON_LOG_H_
