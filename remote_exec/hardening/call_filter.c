// The system calls that are left once a node serves (seccomp). What is not listed kills the process: an attacker who
// runs code in it gets no chance to try another. A GPU's driver tries calls that it can do without (a helper program, a
// priority), and which they are differs by its version: beside one, what is not listed fails with EPERM, and only what
// no driver tries kills.
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "remote_exec/hardening/hardening.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

static const struct {
  const char *name;
  uint32_t feature;
} kCalls[] = {
#define GENIE_SYSTEM_CALL(name, feature) {#name, feature},
#include "remote_exec/hardening/system_call.def"
#undef GENIE_SYSTEM_CALL
};

// What a driver has no reason for, and who took over the process has.
static const char *const kHostileCalls[] = {
    "execveat",   "ptrace",  "process_vm_readv", "process_vm_writev",
    "mount",      "umount2", "pivot_root",       "chroot",
    "unshare",    "setns",   "init_module",      "finit_module",
    "kexec_load", "bpf",     "userfaultfd",      "perf_event_open",
    "keyctl",     "add_key", "io_uring_setup",   "kill",
    "tkill",      "setuid",  "setresuid",        "pidfd_send_signal",
};

bool genie_hardening_has_filter(void) {
#ifdef HAS_SANITIZER
  return false;
#else
  return true;
#endif
}

// Argument `index` has this value, in the bits of `mask`.
static struct scmp_arg_cmp masked(unsigned index, uint64_t mask, uint64_t value) {
  return (struct scmp_arg_cmp){.arg = index, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

static struct scmp_arg_cmp equal(unsigned index, uint64_t value) {
  return (struct scmp_arg_cmp){.arg = index, .op = SCMP_CMP_EQ, .datum_a = value};
}

static int allow(scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *conditions) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    return 0;
  }
  const int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, conditions);
  return result == -EEXIST ? 0 : result;
}

static int allow_listed(scmp_filter_ctx filter, uint32_t features) {
  int result = 0;
  for (size_t i = 0; i < sizeof(kCalls) / sizeof(kCalls[0]) && result == 0; ++i) {
    if (kCalls[i].feature == 0 || (kCalls[i].feature & features) != 0) {
      result = allow(filter, kCalls[i].name, 0, NULL);
    }
  }
  return result;
}

static int kill_hostile(scmp_filter_ctx filter, uint32_t features) {
  int result = 0;
  for (size_t i = 0; i < sizeof(kHostileCalls) / sizeof(kHostileCalls[0]) && result == 0; ++i) {
    const bool is_needed = (features & GENIE_HARDENING_UCX) != 0 && strncmp(kHostileCalls[i], "process_vm_", 11) == 0;
    const int number = seccomp_syscall_resolve_name(kHostileCalls[i]);
    if (number != __NR_SCMP_ERROR && !is_needed) {
      result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0);
    }
  }
  return result;
}

// Never writable and executable at once. Executable mappings are refused as such, so that a library which tries to load
// another fails instead of ending the node; the driver of a GPU makes its own.
static int allow_memory(scmp_filter_ctx filter, uint32_t features) {
  static const uint64_t kMask = PROT_WRITE | PROT_EXEC;
  const bool has_driver = (features & GENIE_HARDENING_CUDA) != 0;
  const struct scmp_arg_cmp read = masked(2, kMask, 0);
  const struct scmp_arg_cmp write = masked(2, kMask, PROT_WRITE);
  const struct scmp_arg_cmp execute = masked(2, kMask, PROT_EXEC);
  int result = allow(filter, "mprotect", 1, &read);
  result = result != 0 ? result : allow(filter, "mprotect", 1, &write);
  result = result != 0 ? result : allow(filter, "mprotect", 1, &execute);
  result = result != 0 ? result : allow(filter, "mmap", 1, &read);
  result = result != 0 ? result : allow(filter, "mmap", 1, &write);
  if (result != 0) {
    return result;
  }
  return has_driver ? allow(filter, "mmap", 1, &execute)
                    : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), 1, &execute);
}

// Sockets of the internet, and of this machine for sd_notify and name services.
static int allow_sockets(scmp_filter_ctx filter) {
  static const int kFamilies[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
  int result = 0;
  for (size_t i = 0; i < sizeof(kFamilies) / sizeof(kFamilies[0]) && result == 0; ++i) {
    const struct scmp_arg_cmp family = equal(0, (uint64_t)kFamilies[i]);
    result = allow(filter, "socket", 1, &family);
  }
  const struct scmp_arg_cmp pair = equal(0, AF_UNIX);
  return result != 0 ? result : allow(filter, "socketpair", 1, &pair);
}

// Threads, and no processes. clone3 hides its flags behind a pointer; the C library falls back to clone.
static int allow_threads(scmp_filter_ctx filter) {
  static const uint64_t kThread = CLONE_VM | CLONE_THREAD;
  const struct scmp_arg_cmp thread = masked(0, kThread, kThread);
  const int number = seccomp_syscall_resolve_name("clone3");
  const int result = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
  return result != 0 ? result : allow(filter, "clone", 1, &thread);
}

static int allow_small_controls(scmp_filter_ctx filter, uint32_t features) {
  static const int kControls[] = {FIONREAD, FIONBIO, TCGETS};
  const struct scmp_arg_cmp set_name = equal(0, PR_SET_NAME);
  const struct scmp_arg_cmp read_limit = equal(2, 0);
  int result = allow(filter, "prctl", 1, &set_name);
  result = result != 0 ? result : allow(filter, "prlimit64", 1, &read_limit);
  if (result != 0) {
    return result;
  }
  if ((features & (GENIE_HARDENING_CUDA | GENIE_HARDENING_UCX)) != 0) {
    return allow(filter, "ioctl", 0, NULL);
  }
  for (size_t i = 0; i < sizeof(kControls) / sizeof(kControls[0]) && result == 0; ++i) {
    const struct scmp_arg_cmp control = masked(1, UINT32_MAX, (uint64_t)kControls[i]);
    result = allow(filter, "ioctl", 1, &control);
  }
  return result;
}

// Of all threads that run already too.
static int load(scmp_filter_ctx filter, uint32_t features) {
  int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  result = result != 0 ? result : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  result = result != 0 ? result : allow_listed(filter, features);
  if (result == 0 && (features & GENIE_HARDENING_CUDA) != 0) {
    result = kill_hostile(filter, features);
  }
  result = result != 0 ? result : allow_memory(filter, features);
  result = result != 0 ? result : allow_sockets(filter);
  result = result != 0 ? result : allow_threads(filter);
  result = result != 0 ? result : allow_small_controls(filter, features);
  return result != 0 ? result : seccomp_load(filter);
}

genie_status_t genie_hardening_filter_calls(uint32_t features) {
  if (!genie_hardening_has_filter()) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "no filter of system calls: built with a sanitizer");
  }
  const bool has_driver = (features & GENIE_HARDENING_CUDA) != 0;
  scmp_filter_ctx filter = seccomp_init(has_driver ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
  if (filter == NULL) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "this kernel has no filter of system calls");
  }
  const int result = load(filter, features);
  seccomp_release(filter);
  return result == 0 ? GENIE_OK
                     : genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                                         "the kernel refuses the filter of system calls: %s", strerror(-result));
}
