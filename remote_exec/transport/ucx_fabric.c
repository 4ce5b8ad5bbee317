#include "remote_exec/transport/ucx_fabric.h"

#include <dlfcn.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Where the build found the library; "" leaves it to the dynamic linker.
#ifndef GENIE_UCX_LIBRARY_FOLDER
#define GENIE_UCX_LIBRARY_FOLDER ""
#endif

enum { kLeastMajor = 1, kLeastMinor = 22 };

static const char kDefaultTransports[] = "rc,ud,posix,sysv,cuda_copy,cuda_ipc,gdr_copy,tcp";
static const uint64_t kDefaultSpinNs = 50000;
static const uint64_t kDefaultUserTimeoutMs = 3000;

// Each needs the ones before it; the wheel's libraries do not know where the others lie.
static const char *const kLibraries[] = {"libucm.so.0", "libucs.so.0", "libuct.so.0", "libucp.so.0"};
enum { kLibraryCount = sizeof(kLibraries) / sizeof(kLibraries[0]) };

// Read by UCX while it is loaded: no signal handlers, no backtraces, no complaints about variables of others.
static void silence_library(void) {
  setenv("UCX_ERROR_SIGNALS", "", /*overwrite=*/1);
  setenv("UCX_HANDLE_ERRORS", "none", /*overwrite=*/1);
  setenv("UCX_WARN_UNUSED_ENV_VARS", "n", /*overwrite=*/1);
  setenv("UCX_LOG_LEVEL", "fatal", /*overwrite=*/0);
}

static genie_status_t load_libraries(genie_ucx_fabric_t *fabric, const char *folder) {
  for (int i = 0; i < kLibraryCount; ++i) {
    char path[4096];
    const int length = snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", kLibraries[i]);
    fabric->libraries[i] = length < (int)sizeof(path) ? dlopen(path, RTLD_LAZY | RTLD_GLOBAL) : NULL;
    if (fabric->libraries[i] == NULL) {
      const char *reason = dlerror();
      return genie_status_make(GENIE_STATUS_NOT_FOUND, "cannot load UCX: %s", reason != NULL ? reason : path);
    }
  }
  return GENIE_OK;
}

static void *find_function(const genie_ucx_fabric_t *fabric, const char *name) {
  void *function = NULL;
  for (int i = kLibraryCount - 1; i >= 0 && function == NULL; --i) {
    function = dlsym(fabric->libraries[i], name);
  }
  return function;
}

static genie_status_t resolve_functions(genie_ucx_fabric_t *fabric) {
#define GENIE_UCX_FUNCTION(name)                                                                                    \
  *(void **)&fabric->call.name = find_function(fabric, #name);                                                      \
  if (fabric->call.name == NULL) {                                                                                  \
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the UCX library has no %s: 1.22 is needed", #name); \
  }
#include "remote_exec/transport/ucx_function.def"
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  fabric->call.ucp_get_version(&major, &minor, &release);
  snprintf(fabric->version, sizeof(fabric->version), "%u.%u.%u", major, minor, release);
  if (major != kLeastMajor || minor < kLeastMinor || minor < UCP_API_MINOR) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "UCX %s was found, at least %d.%d is needed",
                             fabric->version, kLeastMajor, UCP_API_MINOR);
  }
  return GENIE_OK;
}

static genie_status_t failed(const genie_ucx_fabric_t *fabric, const char *what, ucs_status_t status) {
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "UCX: %s: %s", what,
                           fabric->call.ucs_status_string(status));
}

// Nothing of it is left to the user's environment: the prefix is ours. Segments of 256 KiB make UCX choose zero copies
// on links whose speed it does not know.
static genie_status_t configure(const genie_ucx_fabric_t *fabric, const genie_ucx_options_t *options,
                                ucp_config_t *config) {
  char user_timeout[32];
  const uint64_t timeout_ms = options->user_timeout_ms != 0 ? options->user_timeout_ms : kDefaultUserTimeoutMs;
  snprintf(user_timeout, sizeof(user_timeout), "%llums", (unsigned long long)timeout_ms);
  const struct {
    const char *name, *value;
  } settings[] = {
      {"TLS", options->transports != NULL ? options->transports : kDefaultTransports},
      {"NET_DEVICES", options->net_devices != NULL ? options->net_devices : "all"},
      {"TCP_PORT_RANGE", options->tcp_port_range != NULL ? options->tcp_port_range : "0"},
      {"TCP_USER_TIMEOUT", user_timeout},
      {"TCP_KEEPIDLE", "1s"},
      {"TCP_KEEPINTVL", "1s"},
      {"TCP_KEEPCNT", "3"},
      {"TCP_TX_SEG_SIZE", "256K"},
      {"TCP_RX_SEG_SIZE", "256K"},
      {"TCP_PUT_ENABLE", "n"},
      {"POSIX_ERROR_HANDLING", "y"},
      {"SYSV_ERROR_HANDLING", "y"},
      {"MEMTYPE_CACHE", "n"},
  };
  for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); ++i) {
    const ucs_status_t status = fabric->call.ucp_config_modify(config, settings[i].name, settings[i].value);
    if (status != UCS_OK) {
      return failed(fabric, settings[i].name, status);
    }
  }
  return GENIE_OK;
}

static genie_status_t create_context(genie_ucx_fabric_t *fabric, const genie_ucx_options_t *options) {
  ucp_config_t *config = NULL;
  ucs_status_t result = fabric->call.ucp_config_read("GENIE", NULL, &config);
  if (result != UCS_OK) {
    return failed(fabric, "cannot read its settings", result);
  }
  const ucp_params_t params = {
      .field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME | UCP_PARAM_FIELD_MT_WORKERS_SHARED,
      .features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP,
      .mt_workers_shared = 1,
      .name = "genie",
  };
  genie_status_t status = configure(fabric, options, config);
  if (status == GENIE_OK) {
    result = fabric->call.ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &fabric->context);
    status = result == UCS_OK ? GENIE_OK : failed(fabric, "cannot start", result);
  }
  fabric->call.ucp_config_release(config);
  return status;
}

// UCX's shared memory wakes its peer by a socket of the network namespace, and finds it by the other two.
static bool name_host(char *out_text, size_t capacity) {
  static const char *const kNamespaces[] = {"/proc/self/ns/net", "/proc/self/ns/ipc", "/proc/self/ns/pid"};
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
  const bool has_boot = file != NULL && fgets(out_text, (int)capacity, file) != NULL;
  if (file != NULL) {
    fclose(file);
  }
  size_t length = has_boot ? strlen(out_text) : 0;
  for (size_t i = 0; has_boot && i < sizeof(kNamespaces) / sizeof(kNamespaces[0]); ++i) {
    struct stat facts;
    if (stat(kNamespaces[i], &facts) != 0) {
      return false;
    }
    length += (size_t)snprintf(out_text + length, capacity - length, " %llx:%llx", (unsigned long long)facts.st_dev,
                               (unsigned long long)facts.st_ino);
  }
  return has_boot && length < capacity;
}

// Where the host cannot be named, no other process is on it.
static genie_status_t identify_host(uint8_t out_host[GENIE_UCX_HOST_BYTES]) {
  _Static_assert(GENIE_UCX_HOST_BYTES == SHA256_DIGEST_LENGTH, "the host's name is a digest");
  char text[256];
  if (name_host(text, sizeof(text))) {
    SHA256((const unsigned char *)text, strlen(text), out_host);
    return GENIE_OK;
  }
  return RAND_bytes(out_host, GENIE_UCX_HOST_BYTES) == 1
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no random numbers");
}

static genie_status_t fabric_open(genie_ucx_fabric_t *fabric, const genie_ucx_options_t *options) {
  silence_library();
  const char *folder = options->library_folder != NULL ? options->library_folder : GENIE_UCX_LIBRARY_FOLDER;
  GENIE_RETURN_IF_ERROR(load_libraries(fabric, folder));
  GENIE_RETURN_IF_ERROR(resolve_functions(fabric));
  GENIE_RETURN_IF_ERROR(identify_host(fabric->host));
  snprintf(fabric->transports, sizeof(fabric->transports), "%s",
           options->transports != NULL ? options->transports : kDefaultTransports);
  return create_context(fabric, options);
}

genie_status_t genie_ucx_fabric_create(const genie_ucx_options_t *options, genie_allocator_t allocator,
                                       genie_ucx_fabric_t **out_fabric) {
  const genie_ucx_options_t given = options != NULL ? *options : (genie_ucx_options_t){0};
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_ucx_fabric_t), &memory));
  genie_ucx_fabric_t *fabric = memory;
  fabric->allocator = allocator;
  fabric->spin_ns = given.spin_ns == 0 ? kDefaultSpinNs : given.spin_ns == GENIE_UCX_NO_SPIN ? 0 : given.spin_ns;
  fabric->has_integrity = given.has_integrity;
  const genie_status_t status = fabric_open(fabric, &given);
  if (status != GENIE_OK) {
    genie_ucx_fabric_destroy(fabric);
    return status;
  }
  *out_fabric = fabric;
  return GENIE_OK;
}

void genie_ucx_fabric_destroy(genie_ucx_fabric_t *fabric) {
  if (fabric == NULL) {
    return;
  }
  for (size_t i = 0; i < fabric->region_count; ++i) {
    fabric->call.ucp_mem_unmap(fabric->context, fabric->regions[i].handle);
  }
  if (fabric->context != NULL) {
    fabric->call.ucp_cleanup(fabric->context);
  }
  // The libraries stay: UCX patches the process's memory calls and does not survive being unloaded.
  genie_allocator_free(fabric->allocator, fabric);
}

genie_status_t genie_ucx_fabric_register(genie_ucx_fabric_t *fabric, void *address, uint64_t bytes,
                                         genie_ucx_memory_t kind) {
  if (fabric->region_count == GENIE_UCX_MAX_REGIONS) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "UCX: more than %d regions of memory", GENIE_UCX_MAX_REGIONS);
  }
  const ucp_mem_map_params_t params = {
      .field_mask =
          UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_MEMORY_TYPE,
      .address = address,
      .length = bytes,
      .memory_type = kind == GENIE_UCX_MEMORY_CUDA ? UCS_MEMORY_TYPE_CUDA : UCS_MEMORY_TYPE_HOST,
  };
  genie_ucx_region_t *region = &fabric->regions[fabric->region_count];
  const ucs_status_t status = fabric->call.ucp_mem_map(fabric->context, &params, &region->handle);
  if (status != UCS_OK) {
    return failed(fabric, "cannot register memory", status);
  }
  region->address = address;
  region->bytes = bytes;
  region->kind = kind;
  ++fabric->region_count;
  return GENIE_OK;
}

const genie_ucx_region_t *genie_ucx_fabric_find(const genie_ucx_fabric_t *fabric, const void *address, uint64_t bytes) {
  for (size_t i = 0; i < fabric->region_count; ++i) {
    const genie_ucx_region_t *region = &fabric->regions[i];
    const uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)region->address);
    if (offset <= region->bytes && bytes <= region->bytes - offset) {
      return region;
    }
  }
  return NULL;
}
