// What a process that faces a network gives up before it serves. docs/security.md says what each step stops.
//
//     genie_hardening_clean_environment(kKept);       // first of all in main
//     ... open sockets, devices, folders; load libraries ...
//     genie_hardening_become(user);                   // when started as root
//     genie_hardening_limit_process();
//     genie_hardening_filter_calls(features);         // last: what is not allowed ends the process
//
// All of it is for the life of the process and of every thread. Call from main's thread.
#ifndef GENIE_REMOTE_EXEC_HARDENING_HARDENING_H_
#define GENIE_REMOTE_EXEC_HARDENING_HARDENING_H_

#include "runtime/base/status.h"

// Removes every variable of the environment that is not named, so that no library loads or does something because of
// one: "NAME", or "PREFIX*" for all that begin so. `kept` ends with NULL. No other thread runs yet.
genie_status_t genie_hardening_clean_environment(const char *const *kept) GENIE_MUST_USE;

// Becomes user `name`, with its groups, and proves that there is no way back. PERMISSION_DENIED: the process is not
// root, and not that user already. NOT_FOUND: no such user.
genie_status_t genie_hardening_become(const char *name) GENIE_MUST_USE;

// No privilege can be gained by executing something, no core is dumped, and no process of the same user can read this
// one's memory; the capabilities that are left are dropped.
genie_status_t genie_hardening_limit_process(void) GENIE_MUST_USE;

// What else the process needs.
typedef enum genie_hardening_feature {
  // The driver's ioctls, libraries that it loads when they are first used; what is not allowed fails with EPERM.
  GENIE_HARDENING_CUDA = 1 << 0,
  GENIE_HARDENING_UCX = 1 << 1,  // shared memory and reading of other processes on this host
} genie_hardening_feature_t;

// True when the library is built to filter: not under a sanitizer, whose run time makes calls of its own.
bool genie_hardening_has_filter(void);

// From now on a system call that serving does not need ends the process with SIGSYS. Memory that is writable and
// executable at once cannot be had, and no file can be mapped executable (EACCES): code is what was loaded before, and
// what a verified plan's module makes executable. UNIMPLEMENTED: this build or kernel has no filter.
genie_status_t genie_hardening_filter_calls(uint32_t features) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_HARDENING_HARDENING_H_
