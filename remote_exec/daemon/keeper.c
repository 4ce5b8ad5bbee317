#include "remote_exec/daemon/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote_exec/daemon/notify.h"
#include "remote_exec/transport/deadline.h"

enum { kTextBytes = 256, kFirstPauseMs = 500, kLongestPauseMs = 60 * 1000, kExitFailed = 1 };
static const uint64_t kShortLifeNs = (uint64_t)60 * 1000000000;

// The first byte of what a server tells its keeper.
enum { kAddress = 'A', kState = 'S' };

typedef struct keeper {
  genie_keeper_serve_fn_t serve;
  void *context;
  const genie_log_t *log;
  const char *notify_socket;
  int signals;
  genie_keeper_life_t life;
  bool is_ending;  // a signal asked for it
  int pause_ms;    // before the next life
} keeper_t;

// ---- The server's side ----

static void tell(const genie_keeper_life_t *life, char what, const char *text) {
  char message[kTextBytes];
  const int length = snprintf(message, sizeof(message), "%c%s", what, text);
  if (length > 0 && (size_t)length < sizeof(message)) {
    (void)send(life->file, message, (size_t)length, MSG_NOSIGNAL);
  }
}

void genie_keeper_tell_address(const genie_keeper_life_t *life, const char *address) {
  tell(life, kAddress, address);
}

void genie_keeper_tell_state(const genie_keeper_life_t *life, const char *state) {
  tell(life, kState, state);
}

void genie_keeper_follow(void) {
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
}

// ---- The keeper's ----

static void set_signals(sigset_t *out_signals) {
  sigemptyset(out_signals);
  sigaddset(out_signals, SIGTERM);
  sigaddset(out_signals, SIGINT);
  sigaddset(out_signals, SIGCHLD);
}

// In a process group of its own, so that a terminal's interrupt reaches the server once, by way of the keeper.
static pid_t start(keeper_t *keeper, int *out_file) {
  int files[2];
  sigset_t signals;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files) != 0) {
    return -1;
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    set_signals(&signals);
    close(files[0]);
    close(keeper->signals);
    (void)setpgid(0, 0);
    genie_keeper_follow();
    (void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
    keeper->life.file = files[1];
    exit(getppid() == parent ? keeper->serve(keeper->context, &keeper->life) : kExitFailed);
  }
  close(files[1]);
  *out_file = files[0];
  if (child < 0) {
    close(files[0]);
  }
  return child;
}

// False: the server has closed its end.
static bool hear(keeper_t *keeper, int file) {
  char message[kTextBytes];
  const ssize_t length = recv(file, message, sizeof(message) - 1, MSG_DONTWAIT);
  if (length <= 0) {
    return length < 0 && (errno == EAGAIN || errno == EINTR);
  }
  message[length] = '\0';
  if (message[0] == kAddress) {
    snprintf(keeper->life.address, sizeof(keeper->life.address), "%s", message + 1);
  } else if (message[0] == kState) {
    genie_notify_send(keeper->notify_socket, message + 1);
  }
  return true;
}

// Takes one signal, if there is one, and passes it on to `server` when it is to end (0: there is none).
static void take_signal(keeper_t *keeper, pid_t server) {
  struct signalfd_siginfo info;
  if (read(keeper->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) && info.ssi_signo != SIGCHLD) {
    keeper->is_ending = true;
    if (server > 0) {
      (void)kill(server, SIGTERM);
    }
  }
}

// Until the server has ended; gives its wait status.
static int attend(keeper_t *keeper, pid_t server, int file) {
  int status = 0;
  bool is_heard = true;
  while (waitpid(server, &status, WNOHANG) == 0) {
    struct pollfd files[2] = {{.fd = keeper->signals, .events = POLLIN},
                              {.fd = is_heard ? file : -1, .events = POLLIN}};
    (void)poll(files, 2, -1);
    if (files[0].revents != 0) {
      take_signal(keeper, server);
    }
    if (files[1].revents != 0) {
      is_heard = hear(keeper, file);
    }
  }
  while (is_heard && hear(keeper, file)) {
    struct pollfd rest = {.fd = file, .events = POLLIN};
    if (poll(&rest, 1, 0) <= 0) {
      break;
    }
  }
  close(file);
  return status;
}

static void pause_before_next(keeper_t *keeper, uint64_t life_ns) {
  keeper->pause_ms = life_ns > kShortLifeNs || keeper->pause_ms == 0 ? kFirstPauseMs : 2 * keeper->pause_ms;
  keeper->pause_ms = keeper->pause_ms < kLongestPauseMs ? keeper->pause_ms : kLongestPauseMs;
  const genie_deadline_ns_t end = genie_deadline_after_ns((uint64_t)keeper->pause_ms * 1000000u);
  while (!keeper->is_ending && !genie_deadline_has_passed(end)) {
    struct pollfd signals = {.fd = keeper->signals, .events = POLLIN};
    if (poll(&signals, 1, keeper->pause_ms) > 0) {
      take_signal(keeper, 0);
    }
  }
}

static int exit_code_of(const keeper_t *keeper, int status) {
  if (WIFEXITED(status)) {
    return WEXITSTATUS(status) == GENIE_KEEPER_RESTART ? 0 : WEXITSTATUS(status);
  }
  genie_log_write(keeper->log, GENIE_LOG_ERROR, NULL, "the serving process was ended by signal %d", WTERMSIG(status));
  return kExitFailed;
}

static int keep(keeper_t *keeper) {
  for (;;) {
    int file = -1;
    const uint64_t begin_ns = genie_deadline_clock_ns();
    const pid_t server = start(keeper, &file);
    if (server < 0) {
      genie_log_write(keeper->log, GENIE_LOG_ERROR, NULL, "cannot start the serving process: %s", strerror(errno));
      return kExitFailed;
    }
    const int status = attend(keeper, server, file);
    const bool is_restart = WIFEXITED(status) && WEXITSTATUS(status) == GENIE_KEEPER_RESTART;
    if (!is_restart || keeper->is_ending) {
      return exit_code_of(keeper, status);
    }
    pause_before_next(keeper, genie_deadline_clock_ns() - begin_ns);
    if (keeper->is_ending) {
      return 0;
    }
    ++keeper->life.restart_count;
    genie_log_write(keeper->log, GENIE_LOG_WARNING, NULL, "the node starts again, for the %u. time",
                    keeper->life.restart_count);
  }
}

int genie_keeper_run(genie_keeper_serve_fn_t serve, void *context, const genie_log_t *log, const char *notify_socket) {
  keeper_t keeper = {.serve = serve, .context = context, .log = log, .notify_socket = notify_socket};
  sigset_t signals;
  set_signals(&signals);
  (void)sigprocmask(SIG_BLOCK, &signals, NULL);
  keeper.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (keeper.signals < 0) {
    genie_log_write(log, GENIE_LOG_ERROR, NULL, "cannot wait for signals: %s", strerror(errno));
    return kExitFailed;
  }
  const int code = keep(&keeper);
  close(keeper.signals);
  return code;
}
