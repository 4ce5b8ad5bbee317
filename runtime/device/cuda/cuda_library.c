#include "runtime/device/cuda/cuda_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "runtime/device/cuda/cuda_blas.h"
#include "runtime/device/cuda/cuda_dnn.h"

typedef genie_status_t (*plan_create_fn_t)(genie_cuda_device_t *device, void *library,
                                           const genie_device_launch_t *launch, void **out_plan);
typedef genie_status_t (*plan_run_fn_t)(genie_cuda_device_t *device, void *library, genie_cuda_stream_t *stream,
                                        void *plan, const genie_device_launch_t *launch);
typedef void (*plan_destroy_fn_t)(genie_cuda_device_t *device, void *library, void *plan);

typedef enum library_kind { LIBRARY_BLAS, LIBRARY_DNN, LIBRARY_KIND_COUNT } library_kind_t;

static const struct {
  genie_status_t (*open)(genie_cuda_device_t *device, void **out_library);
  void (*close)(genie_cuda_device_t *device, void *library);
} kLibraries[LIBRARY_KIND_COUNT] = {
    [LIBRARY_BLAS] = {genie_cuda_blas_open, genie_cuda_blas_close},
    [LIBRARY_DNN] = {genie_cuda_dnn_open, genie_cuda_dnn_close},
};

typedef struct library_function {
  library_kind_t library;
  plan_create_fn_t create;
  plan_run_fn_t run;
  plan_destroy_fn_t destroy;
} library_function_t;

static const library_function_t kFunctions[GENIE_LIBRARY_FUNCTION_COUNT] = {
    [GENIE_LIBRARY_CUBLASLT_MATMUL] = {LIBRARY_BLAS, genie_cuda_blas_plan_create, genie_cuda_blas_plan_run,
                                       genie_cuda_blas_plan_destroy},
    [GENIE_LIBRARY_CUDNN_CONV] = {LIBRARY_DNN, genie_cuda_dnn_conv_create, genie_cuda_dnn_plan_run,
                                  genie_cuda_dnn_plan_destroy},
    [GENIE_LIBRARY_CUDNN_SDPA] = {LIBRARY_DNN, genie_cuda_dnn_sdpa_create, genie_cuda_dnn_plan_run,
                                  genie_cuda_dnn_plan_destroy},
};

static const struct {
  const char *name;
  uint32_t dim_count, least_args, most_args;
} kSignatures[GENIE_LIBRARY_FUNCTION_COUNT] = {
#define GENIE_LIBRARY_FUNCTION(enumerator, name, dims, least, most) \
  [GENIE_LIBRARY_##enumerator] = {name, dims, least, most},
#include "runtime/plan/library_call.def"
#undef GENIE_LIBRARY_FUNCTION
};

enum {
  kMostDims = 32,
  kMostArgs = 8,
  kMostAlignment = 256,  // what cuBLASLt distinguishes
  kBucketCount = 256,
};

// A call site: what its plan depends on.
typedef struct call_key {
  genie_library_function_t function;
  uint32_t arg_count;
  int64_t dims[kMostDims];
  uint16_t alignments[kMostArgs];
} call_key_t;

typedef struct call_plan {
  call_key_t key;
  void *plan;
  struct call_plan *next;
} call_plan_t;

struct genie_cuda_libraries {
  void *libraries[LIBRARY_KIND_COUNT];  // NULL: not opened
  call_plan_t *buckets[kBucketCount];
};

// ---- Opening ----

static void *open_in_path(const char *path, const char *name) {
  char file[4096];
  for (const char *begin = path; begin != NULL && *begin != '\0';) {
    const char *end = strchr(begin, ':');
    const int length = end == NULL ? (int)strlen(begin) : (int)(end - begin);
    const int written = snprintf(file, sizeof(file), "%.*s/%s", length, begin, name);
    void *library =
        length > 0 && written < (int)sizeof(file) ? dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    if (library != NULL) {
      return library;
    }
    begin = end == NULL ? NULL : end + 1;
  }
  return NULL;
}

genie_status_t genie_cuda_library_open(const genie_cuda_device_t *device, const char *const *names, size_t name_count,
                                       void **out_library) {
  for (size_t i = 0; i < name_count; ++i) {
    *out_library = open_in_path(device->library_path, names[i]);
    if (*out_library != NULL) {
      return GENIE_OK;
    }
  }
  for (size_t i = 0; i < name_count; ++i) {
    *out_library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (*out_library != NULL) {
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION,
                           "the plan calls a library that this machine lacks: %s is neither in the library path '%s' "
                           "nor where the system looks",
                           names[0], device->library_path == NULL ? "" : device->library_path);
}

genie_status_t genie_cuda_library_workspace(genie_cuda_device_t *device, genie_cuda_stream_t *stream,
                                            void **out_address) {
  if (stream->workspace.address == NULL) {
    GENIE_RETURN_IF_ERROR(genie_cuda_memory_allocate(&device->base, kGenieCudaWorkspaceBytes, &stream->workspace));
  }
  *out_address = stream->workspace.address;
  return GENIE_OK;
}

// ---- Calls ----

static genie_status_t check_call(const char *function, const genie_device_launch_t *launch,
                                 genie_library_function_t *out_function) {
  for (size_t i = 0; i < GENIE_LIBRARY_FUNCTION_COUNT; ++i) {
    if (strcmp(kSignatures[i].name, function) != 0) {
      continue;
    }
    if (launch->dim_count != kSignatures[i].dim_count || launch->arg_count < kSignatures[i].least_args ||
        launch->arg_count > kSignatures[i].most_args) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "a call of %s with %u slices and %u dims; it takes %u to "
                               "%u and %u",
                               function, launch->arg_count, launch->dim_count, kSignatures[i].least_args,
                               kSignatures[i].most_args, kSignatures[i].dim_count);
    }
    *out_function = (genie_library_function_t)i;
    return GENIE_OK;
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "the CUDA device has no library function '%.64s'", function);
}

static uint16_t alignment_of(const void *address) {
  uint16_t alignment = 1;
  while (alignment < kMostAlignment && (uintptr_t)address % (alignment * 2u) == 0) {
    alignment = (uint16_t)(alignment * 2);
  }
  return alignment;
}

static void fill_key(genie_library_function_t function, const genie_device_launch_t *launch, call_key_t *key) {
  memset(key, 0, sizeof(*key));
  key->function = function;
  key->arg_count = launch->arg_count;
  memcpy(key->dims, launch->dims, launch->dim_count * sizeof(int64_t));
  for (uint32_t i = 0; i < launch->arg_count; ++i) {
    key->alignments[i] = alignment_of(launch->args[i]);
  }
}

// FNV-1a.
static size_t bucket_of(const call_key_t *key) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < sizeof(*key); ++i) {
    hash = (hash ^ ((const uint8_t *)key)[i]) * 1099511628211u;
  }
  return (size_t)(hash % kBucketCount);
}

static genie_status_t open_library(genie_cuda_device_t *device, library_kind_t kind) {
  return device->libraries->libraries[kind] != NULL
             ? GENIE_OK
             : kLibraries[kind].open(device, &device->libraries->libraries[kind]);
}

static genie_status_t make_plan(genie_cuda_device_t *device, const call_key_t *key, const genie_device_launch_t *launch,
                                call_plan_t **bucket) {
  const library_function_t *function = &kFunctions[key->function];
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(open_library(device, function->library));
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(call_plan_t), &memory));
  call_plan_t *plan = memory;
  plan->key = *key;
  const genie_status_t status =
      function->create(device, device->libraries->libraries[function->library], launch, &plan->plan);
  if (status != GENIE_OK) {
    genie_allocator_free(device->base.allocator, plan);
    return genie_status_annotate(status, "%s", kSignatures[key->function].name);
  }
  plan->next = *bucket;
  *bucket = plan;
  return GENIE_OK;
}

static genie_status_t find_plan(genie_cuda_device_t *device, const call_key_t *key, const genie_device_launch_t *launch,
                                void **out_plan) {
  if (device->libraries == NULL) {
    void *memory = NULL;
    GENIE_RETURN_IF_ERROR(
        genie_allocator_allocate_array(device->base.allocator, 1, sizeof(genie_cuda_libraries_t), &memory));
    device->libraries = memory;
  }
  call_plan_t **bucket = &device->libraries->buckets[bucket_of(key)];
  for (const call_plan_t *plan = *bucket; plan != NULL; plan = plan->next) {
    if (memcmp(&plan->key, key, sizeof(*key)) == 0) {
      *out_plan = plan->plan;
      return GENIE_OK;
    }
  }
  GENIE_RETURN_IF_ERROR(make_plan(device, key, launch, bucket));
  *out_plan = (*bucket)->plan;
  return GENIE_OK;
}

genie_status_t genie_cuda_library_call(genie_cuda_device_t *device, genie_cuda_stream_t *stream, const char *name,
                                       const genie_device_launch_t *launch) {
  genie_library_function_t function = GENIE_LIBRARY_FUNCTION_COUNT;
  GENIE_RETURN_IF_ERROR(check_call(name, launch, &function));
  call_key_t key;
  void *plan = NULL;
  fill_key(function, launch, &key);
  pthread_mutex_lock(&device->library_lock);
  genie_status_t status = find_plan(device, &key, launch, &plan);
  if (status == GENIE_OK) {
    status = genie_cuda_fence(device, stream);
  }
  if (status == GENIE_OK) {
    status = kFunctions[function].run(device, device->libraries->libraries[kFunctions[function].library], stream, plan,
                                      launch);
  }
  pthread_mutex_unlock(&device->library_lock);
  return status;
}

void genie_cuda_libraries_destroy(genie_cuda_device_t *device) {
  genie_cuda_libraries_t *libraries = device->libraries;
  if (libraries == NULL) {
    return;
  }
  for (size_t i = 0; i < kBucketCount; ++i) {
    while (libraries->buckets[i] != NULL) {
      call_plan_t *plan = libraries->buckets[i];
      const library_function_t *function = &kFunctions[plan->key.function];
      libraries->buckets[i] = plan->next;
      function->destroy(device, libraries->libraries[function->library], plan->plan);
      genie_allocator_free(device->base.allocator, plan);
    }
  }
  for (size_t i = 0; i < LIBRARY_KIND_COUNT; ++i) {
    if (libraries->libraries[i] != NULL) {
      kLibraries[i].close(device, libraries->libraries[i]);
    }
  }
  genie_allocator_free(device->base.allocator, libraries);
  device->libraries = NULL;
}
