// What a hardened process can and cannot do any more: each case runs in a child of its own.
#include "remote_exec/hardening/hardening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { kPageBytes = 4096, kSurvived = 7, kNotHardened = 8 };

// Runs `body` in a child behind the filter; gives its wait status.
static int run_filtered(uint32_t features, void (*body)(void)) {
  const pid_t child = fork();
  if (child == 0) {
    if (genie_hardening_limit_process() != GENIE_OK || genie_hardening_filter_calls(features) != GENIE_OK) {
      _exit(kNotHardened);
    }
    body();
    _exit(kSurvived);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void assert_survives_with(uint32_t features, void (*body)(void)) {
  const int status = run_filtered(features, body);
  assert_false(WIFSIGNALED(status));
  assert_int_equal(WEXITSTATUS(status), kSurvived);
}

static void assert_survives(void (*body)(void)) {
  assert_survives_with(0, body);
}

static void assert_killed_with(uint32_t features, void (*body)(void)) {
  const int status = run_filtered(features, body);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_killed(void (*body)(void)) {
  assert_killed_with(0, body);
}

// ---- What serving needs ----

static void *touch(void *memory) {
  *(volatile char *)memory = 1;
  return memory;
}

static void compute(void) {
  pthread_t thread;
  char byte = 0;
  void *code = mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(code, 0xc3, kPageBytes);  // ret, on x86
  if (mprotect(code, kPageBytes, PROT_READ | PROT_EXEC) != 0) {
    _exit(1);
  }
#if defined(__x86_64__)
  ((void (*)(void))code)();
#endif
  if (pthread_create(&thread, NULL, touch, &byte) != 0 || pthread_join(thread, NULL) != 0 || byte != 1) {
    _exit(2);
  }
  void *large = malloc(64 << 20);
  memset(large, 1, 64 << 20);
  free(large);
  munmap(code, kPageBytes);
}

static void communicate(void) {
  int pair[2];
  char byte = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t address_bytes = sizeof(address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &address_bytes) != 0 ||
      connect(peer, (struct sockaddr *)&address, sizeof(address)) != 0) {
    _exit(1);
  }
  const int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (send(peer, &byte, 1, MSG_NOSIGNAL) != 1 || recv(accepted, &byte, 1, 0) != 1) {
    _exit(2);
  }
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
    _exit(3);
  }
}

static void store(void) {
  char path[] = "/tmp/genie-hardening-XXXXXX";
  const int file = mkostemp(path, O_CLOEXEC);
  if (file < 0 || write(file, "a", 1) != 1 || fdatasync(file) != 0 || close(file) != 0 || rename(path, path) != 0 ||
      unlink(path) != 0) {
    _exit(1);
  }
}

static void resolve_name(void) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  if (getaddrinfo("localhost", "80", &hints, &found) == 0) {
    freeaddrinfo(found);
  }
}

static void a_filtered_process_serves(void **state) {
  (void)state;
  assert_survives(compute);
  assert_survives(communicate);
  assert_survives(store);
  assert_survives(resolve_name);
}

// ---- What an attacker would want ----

static void execute(void) {
  execl("/bin/true", "true", (char *)NULL);
}
static void fork_child(void) {
  (void)fork();
}
static void trace(void) {
  ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static void open_raw_socket(void) {
  (void)socket(AF_PACKET, SOCK_RAW, 0);
}
static void map_writable_code(void) {
  (void)mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void make_code_writable(void) {
  void *page = mmap(NULL, kPageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page, kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC);
}
static void change_owner(void) {
  (void)chown("/tmp", 0, 0);
}
static void mount_something(void) {
  (void)syscall(SYS_mount, "a", "/tmp", "tmpfs", 0, NULL);
}
static void load_program(void) {
  (void)syscall(SYS_bpf, 0, NULL, 0);
}
static void read_neighbour(void) {
  (void)syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}
static void kill_neighbour(void) {
  (void)kill(getppid(), 0);
}

static void what_serving_does_not_need_ends_the_process(void **state) {
  (void)state;
  assert_killed(execute);
  assert_killed(fork_child);
  assert_killed(trace);
  assert_killed(open_raw_socket);
  assert_killed(map_writable_code);
  assert_killed(make_code_writable);
  assert_killed(change_owner);
  assert_killed(mount_something);
  assert_killed(load_program);
  assert_killed(read_neighbour);
  assert_killed(kill_neighbour);
}

static void map_library(void) {
  const int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
  const void *mapped = mmap(NULL, kPageBytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  _exit(mapped == MAP_FAILED && errno == EACCES ? kSurvived : 1);
}

static void libraries_cannot_be_loaded_any_more(void **state) {
  (void)state;
  assert_survives(map_library);
}

// ---- Beside a GPU's driver ----

// It controls its devices, loads libraries when they are first used, and goes on without the helper that it asks for.
static void drive(void) {
  char *const arguments[] = {"true", NULL};
  const int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
  const void *library = mmap(NULL, kPageBytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  pid_t helper = 0;
  if (file < 0 || library == MAP_FAILED || (ioctl(file, 0xc0de4601, NULL) != 0 && errno == EPERM)) {
    _exit(1);
  }
  if (posix_spawn(&helper, "/bin/true", NULL, NULL, arguments, NULL) != EPERM) {
    _exit(2);
  }
  void *page = mmap(NULL, kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED || errno != EPERM || execv("/bin/true", arguments) == 0 || errno != EPERM) {
    _exit(3);
  }
  compute();
  communicate();
}

static void a_driver_works_and_gains_nothing(void **state) {
  (void)state;
  assert_survives_with(GENIE_HARDENING_CUDA, drive);
  assert_survives_with(GENIE_HARDENING_CUDA | GENIE_HARDENING_UCX, drive);
  assert_killed_with(GENIE_HARDENING_CUDA, trace);
  assert_killed_with(GENIE_HARDENING_CUDA, mount_something);
  assert_killed_with(GENIE_HARDENING_CUDA, load_program);
  assert_killed_with(GENIE_HARDENING_CUDA, read_neighbour);
  assert_killed_with(GENIE_HARDENING_CUDA, kill_neighbour);
}

// The filter holds for threads that were there before it.
static int gate[2];

static void *execute_when_told(void *unused) {
  char byte;
  (void)!read(gate[0], &byte, 1);
  execute();
  return unused;
}

static void run_threaded(void) {
  (void)!write(gate[1], "x", 1);
  sleep(5);
}

static void earlier_threads_are_filtered_too(void **state) {
  (void)state;
  int status = 0;
  assert_int_equal(pipe(gate), 0);
  const pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, execute_when_told, NULL);
    if (genie_hardening_limit_process() != GENIE_OK || genie_hardening_filter_calls(0) != GENIE_OK) {
      _exit(kNotHardened);
    }
    run_threaded();
    _exit(1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

// ---- Privileges and environment ----

static void privileges_are_gone_for_good(void **state) {
  (void)state;
  int status = 0;
  if (geteuid() != 0 || getpwnam("nobody") == NULL) {
    skip();
  }
  const pid_t child = fork();
  if (child == 0) {
    const bool is_dropped = genie_hardening_become("nobody") == GENIE_OK && geteuid() != 0 && setuid(0) != 0 &&
                            genie_hardening_limit_process() == GENIE_OK &&
                            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    _exit(is_dropped ? kSurvived : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), kSurvived);
}

static void only_users_that_exist_can_be_become(void **state) {
  (void)state;
  const genie_status_t status = genie_hardening_become("no-such-user");
  assert_int_equal(genie_status_code(status), GENIE_STATUS_NOT_FOUND);
  genie_status_free(status);
}

static void only_named_variables_are_left(void **state) {
  (void)state;
  static const char *const kKept[] = {"GENIED_*", "HOME", NULL};
  setenv("GENIED_LISTEN", "here", 1);
  setenv("HOME", "/", 1);
  setenv("HOMER", "x", 1);
  setenv("LD_LIBRARY_PATH", "/tmp", 1);
  setenv("OPENSSL_CONF", "/tmp/x", 1);
  assert_int_equal(genie_hardening_clean_environment(kKept), GENIE_OK);
  assert_string_equal(getenv("GENIED_LISTEN"), "here");
  assert_string_equal(getenv("HOME"), "/");
  assert_null(getenv("HOMER"));
  assert_null(getenv("LD_LIBRARY_PATH"));
  assert_null(getenv("OPENSSL_CONF"));
}

int main(void) {
  const struct CMUnitTest filtered[] = {
      cmocka_unit_test(a_filtered_process_serves),
      cmocka_unit_test(what_serving_does_not_need_ends_the_process),
      cmocka_unit_test(libraries_cannot_be_loaded_any_more),
      cmocka_unit_test(a_driver_works_and_gains_nothing),
      cmocka_unit_test(earlier_threads_are_filtered_too),
  };
  const struct CMUnitTest limited[] = {
      cmocka_unit_test(privileges_are_gone_for_good),
      cmocka_unit_test(only_users_that_exist_can_be_become),
      cmocka_unit_test(only_named_variables_are_left),
  };
  const int failed = genie_hardening_has_filter() ? cmocka_run_group_tests(filtered, NULL, NULL) : 0;
  return failed + cmocka_run_group_tests(limited, NULL, NULL);
}
