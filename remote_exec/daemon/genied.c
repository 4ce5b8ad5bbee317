// genied: a node that executes plans for the clients that it knows.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote_exec/daemon/lost_device.h"
#include "remote_exec/daemon/node_metrics.h"
#include "remote_exec/daemon/notify.h"
#include "remote_exec/daemon/server.h"
#include "remote_exec/hardening/hardening.h"
#include "remote_exec/metrics/metrics_server.h"
#include "remote_exec/transport/deadline.h"
#include "runtime/device/device.h"

enum { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { kDrainPollNs = 50 * 1000 * 1000, kSharedFolders = 64 };

// ---- Start ----

// Makes a directory and those above it, for this user alone.
static genie_status_t make_directory(const char *path) {
  char part[4096];
  snprintf(part, sizeof(part), "%s", path);
  for (char *slash = part + 1; (slash = strchr(slash, '/')) != NULL; ++slash) {
    *slash = '\0';
    if (mkdir(part, 0700) != 0 && errno != EEXIST) {
      return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot make the directory %s: %s", part,
                               strerror(errno));
    }
    *slash = '/';
  }
  return mkdir(part, 0700) == 0 || errno == EEXIST
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot make the directory %s: %s", part,
                                 strerror(errno));
}

static void warn_of_store(void *self, const char *message) {
  genie_log_write(&((genie_node_t *)self)->log, GENIE_LOG_WARNING, NULL, "%s", message);
}

static genie_status_t create_store(genie_node_t *node) {
  const genie_config_list_t *shared = &node->options->weight_folders;
  const char *folders[kSharedFolders + 1] = {NULL};
  char folder[4096];
  if (shared->count > kSharedFolders) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--weights-from may be given %d times", kSharedFolders);
  }
  if (shared->count > 0) {
    memcpy(folders, shared->values, shared->count * sizeof(*folders));
  }
  snprintf(folder, sizeof(folder), "%s/weights", node->options->data_dir);
  const uint64_t memory_limit = (uint64_t)node->options->memory_limit_mib << 20;
  const genie_store_options_t options = {.folder = node->options->disk_limit_mib > 0 ? folder : NULL,
                                         .disk_limit_bytes = (uint64_t)node->options->disk_limit_mib << 20,
                                         .memory_limit_bytes = memory_limit,
                                         .idle_limit_bytes = memory_limit / 4,
                                         .shared_folders = folders,
                                         .warn = warn_of_store,
                                         .warn_self = node};
  return genie_store_create(&options, node->allocator, &node->store);
}

static genie_status_t create_budget(genie_node_t *node) {
  const genie_daemon_options_t *options = node->options;
  const genie_budget_limits_t limits = {
      .total = {[GENIE_BUDGET_MEMORY] = (uint64_t)options->memory_limit_mib << 20,
                [GENIE_BUDGET_SESSIONS] = (uint64_t)options->session_limit,
                [GENIE_BUDGET_CONNECTIONS] = (uint64_t)options->connection_limit},
      .client = {[GENIE_BUDGET_MEMORY] = (uint64_t)options->client_memory_limit_mib << 20,
                 [GENIE_BUDGET_SESSIONS] = (uint64_t)options->session_limit,
                 [GENIE_BUDGET_CONNECTIONS] = (uint64_t)options->client_connection_limit}};
  return genie_budget_create(&limits, node->allocator, &node->budget);
}

static void check_device(void *context, const char *name, const char *kind, uint32_t ordinal) {
  (void)name;
  (void)kind;
  (void)ordinal;
  ++*(uint32_t *)context;
}

static genie_status_t fill_node(genie_node_t *node) {
  uint32_t device_count = 0;
  genie_node_list_devices(node, check_device, &device_count);
  if (device_count == 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--devices %.200s names no device of this build",
                             node->options->devices);
  }
  GENIE_RETURN_IF_ERROR(make_directory(node->options->data_dir));
  GENIE_RETURN_IF_ERROR(genie_identity_load_or_create(node->options->key, node->allocator, &node->identity));
  GENIE_RETURN_IF_ERROR(
      genie_authorized_keys_load(node->options->authorized_keys, node->allocator, &node->authorized_keys));
  GENIE_RETURN_IF_ERROR(create_budget(node));
  return genie_session_table_create(node->allocator, &node->sessions);
}

static void empty_node(genie_node_t *node) {
  genie_ucx_fabric_destroy(node->fabric);
  genie_node_arena_deinit(&node->arena);
  genie_store_destroy(node->store);
  genie_session_table_destroy(node->sessions);
  genie_budget_destroy(node->budget);
  genie_authorized_keys_destroy(node->authorized_keys);
  genie_identity_destroy(node->identity);
  genie_metrics_deinit(&node->metrics);
}

// ---- Giving up what serving does not need ----

// What the environment may say to genied and to what it links: nothing that names a file to load.
static const char *const kKeptVariables[] = {"GENIED_*",
                                             "HOME",
                                             "STATE_DIRECTORY",
                                             "NOTIFY_SOCKET",
                                             "TZ",
                                             "CUDA_VISIBLE_DEVICES",
                                             "CUDA_DEVICE_ORDER",
                                             "NVIDIA_VISIBLE_DEVICES",
                                             "ASAN_OPTIONS",
                                             "TSAN_OPTIONS",
                                             "LLVM_PROFILE_FILE",
                                             NULL};

typedef struct warming {
  genie_node_t *node;
  uint32_t features;
} warming_t;

// A vendor's driver loads libraries and may start a helper when it is first used: that is done before the filter.
static void warm_up_device(void *context, const char *name, const char *kind, uint32_t ordinal) {
  warming_t *warming = context;
  genie_device_t *device = NULL;
  if (strcmp(kind, "cuda") != 0) {
    return;
  }
  warming->features |= GENIE_HARDENING_CUDA;
  const genie_status_t status = genie_device_create(
      kind, &(genie_device_options_t){.ordinal = ordinal, .library_path = warming->node->options->library_path},
      warming->node->allocator, &device);
  if (status != GENIE_OK) {
    genie_log_take_status(&warming->node->log, GENIE_LOG_WARNING, name, status);
  }
  genie_device_destroy(device);
}

// So do name services.
static void warm_up_names(void) {
  struct addrinfo *found = NULL;
  if (getaddrinfo("localhost", NULL, NULL, &found) == 0) {
    freeaddrinfo(found);
  }
}

static genie_status_t filter_calls(genie_node_t *node, uint32_t features) {
  if (node->options->is_unfiltered) {
    genie_log_write(&node->log, GENIE_LOG_WARNING, NULL, "system calls are not filtered (--unfiltered)");
    return GENIE_OK;
  }
  if (!genie_hardening_has_filter()) {
    genie_log_write(&node->log, GENIE_LOG_WARNING, NULL, "system calls are not filtered (built with a sanitizer)");
    return GENIE_OK;
  }
  return genie_status_annotate(genie_hardening_filter_calls(features), "see --unfiltered");
}

// UCX has a thread of its own, which is to have no more rights than the others: it starts after they are given up.
static genie_status_t create_fabric(genie_node_t *node) {
  const genie_daemon_options_t *options = node->options;
  const genie_ucx_options_t ucx = {.transports = options->ucx_transports,
                                   .net_devices = options->ucx_devices,
                                   .tcp_port_range = options->ucx_ports,
                                   .has_integrity = strcmp(options->integrity, "xxh3") == 0};
  return options->has_ucx ? genie_ucx_fabric_create(&ucx, node->allocator, &node->fabric) : GENIE_OK;
}

static genie_status_t create_arena(genie_node_t *node) {
  const genie_daemon_options_t *options = node->options;
  node->arena.heap = node->allocator;
  return options->network_memory == NULL
             ? GENIE_OK
             : genie_node_arena_init(options->network_memory, (uint64_t)options->network_memory_mib << 20, node->fabric,
                                     node->allocator, &node->arena);
}

// The data directory goes to the user that the node becomes.
static genie_status_t become_user(const genie_daemon_options_t *options) {
  const struct passwd *user = getpwnam(options->user);
  if (user != NULL && geteuid() == 0 && chown(options->data_dir, user->pw_uid, user->pw_gid) != 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "cannot give %s to user '%.64s': %s", options->data_dir,
                             options->user, strerror(errno));
  }
  return genie_hardening_become(options->user);
}

// Sockets are open and keys are read; no thread runs yet.
static genie_status_t surrender(genie_node_t *node) {
  warming_t warming = {.node = node};
  genie_node_list_devices(node, warm_up_device, &warming);
  warm_up_names();
  if (node->options->user != NULL) {
    GENIE_RETURN_IF_ERROR(become_user(node->options));
  } else if (geteuid() == 0) {
    genie_log_write(&node->log, GENIE_LOG_WARNING, NULL, "genied runs as root: --user NAME gives that up");
  }
  GENIE_RETURN_IF_ERROR(create_store(node));
  snprintf(node->code_directory, sizeof(node->code_directory), "%s/code", node->options->data_dir);
  GENIE_RETURN_IF_ERROR(make_directory(node->code_directory));
  GENIE_RETURN_IF_ERROR(genie_hardening_limit_process());
  if (node->life != NULL) {
    genie_keeper_follow();
  }
  GENIE_RETURN_IF_ERROR(create_fabric(node));
  GENIE_RETURN_IF_ERROR(create_arena(node));
  return filter_calls(node, warming.features | (node->options->has_ucx ? GENIE_HARDENING_UCX : 0));
}

// ---- Stop ----

static bool is_signalled(const sigset_t *signals, uint64_t timeout_ns) {
  const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                                   .tv_nsec = (long)(timeout_ns % 1000000000u)};
  const int number = sigtimedwait(signals, NULL, &timeout);
  return number == SIGTERM || number == SIGINT;
}

// Until the node is to stop, which gives false, or to start again because of a lost device.
static bool wait_for_end(genie_node_t *node, const sigset_t *signals) {
  static const struct timespec kPoll = {.tv_nsec = kDrainPollNs};
  bool has_lost = false;
  for (;;) {
    const int number = has_lost ? sigtimedwait(signals, NULL, &kPoll) : sigwaitinfo(signals, NULL);
    has_lost = has_lost || number == GENIE_LOST_DEVICE_SIGNAL;
    if (number == SIGTERM || number == SIGINT) {
      return false;
    }
    if (has_lost && node->life != NULL && genie_lost_devices_want_restart(node)) {
      return true;
    }
  }
}

// Sessions may end by themselves for a while; a second signal ends them at once.
static void drain(genie_node_t *node, const sigset_t *signals) {
  atomic_store(&node->is_draining, true);
  genie_metrics_set(&node->metrics, GENIE_METRIC_DRAINING, 1);
  const genie_deadline_ns_t deadline =
      genie_deadline_after_ns((uint64_t)node->options->drain_seconds * (uint64_t)1000000000);
  while (genie_session_table_count(node->sessions) > 0 && !genie_deadline_has_passed(deadline) &&
         !is_signalled(signals, kDrainPollNs)) {
  }
}

static void tell_manager(const genie_node_t *node, const char *state) {
  if (node->life != NULL) {
    genie_keeper_tell_state(node->life, state);
  } else {
    genie_notify_send(getenv("NOTIFY_SOCKET"), state);
  }
}

// Gives whether the node is to start again.
static bool serve(genie_node_t *node, const genie_server_t *server, const sigset_t *signals) {
  if (node->life != NULL) {
    genie_keeper_tell_address(node->life, genie_server_address(server));
  }
  genie_log_write(&node->log, GENIE_LOG_INFO, NULL, "genied listens on %s, devices %s, key %s",
                  genie_server_address(server), node->options->devices, genie_identity_get_fingerprint(node->identity));
  tell_manager(node, "READY=1");
  if (wait_for_end(node, signals)) {
    return true;
  }
  tell_manager(node, "STOPPING=1");
  genie_log_write(&node->log, GENIE_LOG_INFO, NULL, "stopping: %u sessions have up to %lld s",
                  genie_session_table_count(node->sessions), (long long)node->options->drain_seconds);
  drain(node, signals);
  return false;
}

static genie_status_t start_metrics(genie_node_t *node, genie_metrics_server_t **out_server) {
  if (node->options->metrics_listen == NULL) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(
      genie_metrics_server_start(node->options->metrics_listen, &node->metrics, node->allocator, out_server));
  genie_log_write(&node->log, GENIE_LOG_INFO, NULL, "metrics on port %u", genie_metrics_server_port(*out_server));
  return GENIE_OK;
}

static genie_status_t run(genie_node_t *node, const sigset_t *signals, bool *out_is_restart) {
  genie_server_t *server = NULL;
  genie_metrics_server_t *metrics_server = NULL;
  genie_metric_collector_t collector;
  GENIE_RETURN_IF_ERROR(genie_server_create(node, &server));
  genie_status_t status = surrender(node);
  if (status == GENIE_OK) {
    genie_node_metrics_attach(node, &collector);
    status = start_metrics(node, &metrics_server);
  }
  if (status == GENIE_OK) {
    status = genie_server_start(server);
  }
  if (status == GENIE_OK) {
    *out_is_restart = serve(node, server, signals);
  }
  genie_server_destroy(server);
  genie_metrics_server_stop(metrics_server);
  if (status == GENIE_OK) {
    genie_log_write(&node->log, GENIE_LOG_INFO, NULL, "stopped");
  }
  return status;
}

static uint64_t read_unix_time_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static genie_log_t open_log(const genie_daemon_options_t *options) {
  return (genie_log_t){.file = STDERR_FILENO, .is_json = strcmp(options->log_format, "json") == 0};
}

static genie_status_t start_and_run(const genie_daemon_options_t *options, const genie_keeper_life_t *life,
                                    bool *out_is_restart) {
  genie_node_t node = {.allocator = genie_allocator_heap(),
                       .options = options,
                       .log = open_log(options),
                       .life = life,
                       .start_ns = genie_deadline_clock_ns()};
  snprintf(node.software, sizeof(node.software), "genied %s (%s)", GENIE_VERSION, GENIE_GIT_HASH);
  // Blocked before the first thread, so that every thread blocks them and main alone takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, GENIE_LOST_DEVICE_SIGNAL);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  genie_lost_devices_init(&node);
  genie_metrics_init(&node.metrics);
  genie_metrics_set(&node.metrics, GENIE_METRIC_RESTARTS, life == NULL ? 0 : life->restart_count);
  genie_metrics_set(&node.metrics, GENIE_METRIC_START_TIME, read_unix_time_ns());
  genie_status_t status = fill_node(&node);
  if (status == GENIE_OK) {
    status = run(&node, &signals, out_is_restart);
  }
  empty_node(&node);
  return status;
}

// ---- Command line ----

static bool has_argument(int argc, char **argv, const char *name, const char *alias) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], name) == 0 || (alias != NULL && strcmp(argv[i], alias) == 0)) {
      return true;
    }
  }
  return false;
}

static int print_help(void) {
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  genie_daemon_options_describe(&text);
  fputs(genie_string_builder_get(&text), stdout);
  genie_string_builder_deinit(&text);
  return fflush(stdout) == 0 ? EXIT_STOPPED : EXIT_FAILED;
}

static int report(genie_status_t status, int exit_code) {
  if (status == GENIE_OK) {
    return EXIT_STOPPED;
  }
  fprintf(stderr, "genied: %s\n", genie_status_message(status));
  genie_status_free(status);
  return exit_code;
}

// One life of the node. The next one listens where the first did, also when the system chose the port.
static int live(void *context, const genie_keeper_life_t *life) {
  genie_daemon_options_t options = *(const genie_daemon_options_t *)context;
  bool is_restart = false;
  if (life != NULL && life->address[0] != '\0') {
    options.listen = life->address;
  }
  const int code = report(start_and_run(&options, life, &is_restart), EXIT_FAILED);
  return is_restart ? GENIE_KEEPER_RESTART : code;
}

static void find_losable(void *context, const char *name, const char *kind, uint32_t ordinal) {
  (void)name;
  (void)ordinal;
  *(bool *)context = *(bool *)context || genie_node_can_lose(kind);
}

static int live_on(genie_daemon_options_t *options) {
  const genie_log_t log = open_log(options);
  bool is_kept = false;
  genie_node_list_devices(&(genie_node_t){.options = options}, find_losable, &is_kept);
  return is_kept ? genie_keeper_run(live, options, &log, getenv("NOTIFY_SOCKET")) : live(options, NULL);
}

int main(int argc, char **argv) {
  const genie_status_t cleaned = genie_hardening_clean_environment(kKeptVariables);
  if (cleaned != GENIE_OK) {
    return report(cleaned, EXIT_FAILED);
  }
  if (has_argument(argc, argv, "--help", "-h")) {
    return print_help();
  }
  if (has_argument(argc, argv, "--version", NULL)) {
    printf("genied %s (%s)\n", GENIE_VERSION, GENIE_GIT_HASH);
    return EXIT_STOPPED;
  }
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  genie_daemon_options_t options;
  const genie_status_t parsed = genie_daemon_options_parse(argc, argv, &arena, &options);
  const int exit_code = parsed != GENIE_OK ? report(parsed, EXIT_USAGE) : live_on(&options);
  genie_arena_deinit(&arena);
  return exit_code;
}
