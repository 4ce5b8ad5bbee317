#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "remote_exec/hardening/hardening.h"

// ---- The environment ----

static bool is_kept(const char *variable, size_t name_bytes, const char *const *kept) {
  for (; *kept != NULL; ++kept) {
    const size_t length = strlen(*kept);
    const bool is_prefix = length > 0 && (*kept)[length - 1] == '*';
    if (is_prefix ? name_bytes >= length - 1 && memcmp(variable, *kept, length - 1) == 0
                  : name_bytes == length && memcmp(variable, *kept, length) == 0) {
      return true;
    }
  }
  return false;
}

genie_status_t genie_hardening_clean_environment(const char *const *kept) {
  char **to = environ;
  for (char **from = environ; from != NULL && *from != NULL; ++from) {
    const size_t name_bytes = strcspn(*from, "=");
    if (is_kept(*from, name_bytes, kept)) {
      *to++ = *from;
    } else {
      // What /proc shows, and what was copied from it, goes too.
      memset(*from, 0, strlen(*from));
    }
  }
  if (to != NULL) {
    *to = NULL;
  }
  return GENIE_OK;
}

// ---- The user ----

static genie_status_t denied(const char *what) {
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot %s: %s", what, strerror(errno));
}

genie_status_t genie_hardening_become(const char *name) {
  errno = 0;
  const struct passwd *user = getpwnam(name);
  if (user == NULL) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "there is no user '%.64s'", name);
  }
  if (geteuid() == user->pw_uid && getuid() == user->pw_uid) {
    return GENIE_OK;
  }
  if (geteuid() != 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "only root can become user '%.64s'", name);
  }
  const uid_t uid = user->pw_uid;
  const gid_t gid = user->pw_gid;
  if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
    return denied("change the user");
  }
  if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "user '%.64s' can become root again", name);
  }
  return GENIE_OK;
}

// ---- The process ----

static genie_status_t drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, none) == 0 ? GENIE_OK : denied("drop capabilities");
}

genie_status_t genie_hardening_limit_process(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return denied("forbid new privileges");
  }
  if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0) {
    return denied("forbid core dumps");
  }
  // A sanitizer reads its own process as a debugger does, to look for leaks.
  if (genie_hardening_has_filter() && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return denied("forbid being read by others");
  }
  return drop_capabilities();
}
