#include "runtime/device/cuda/cuda_blas.h"

#include <dlfcn.h>
#include <string.h>

#include "genie/dtype.h"
#include "runtime/device/cuda/cuda_library.h"

// ---- The part of cuBLASLt's interface that is used: names and values of cublasLt.h, the same in versions 12 and 13
// ----

typedef int blas_status_t;  // cublasStatus_t; 0 is success
typedef struct blas_handle *blas_handle_t;
typedef struct blas_object *blas_object_t;  // a descriptor, layout or preference

enum {
  BLAS_NOT_SUPPORTED = 15,
  BLAS_COMPUTE_32F = 68,  // cublasComputeType_t
  BLAS_COMPUTE_64F = 70,
  BLAS_COMPUTE_32F_FAST_TF32 = 77,
  BLAS_REAL_32F = 0,  // cudaDataType
  BLAS_REAL_64F = 1,
  BLAS_REAL_16F = 2,
  BLAS_REAL_16BF = 14,
  BLAS_OPERATION_TRANSPOSE = 1,  // cublasOperation_t
  BLAS_MATMUL_TRANSPOSE_A = 3,   // cublasLtMatmulDescAttributes_t
  BLAS_MATMUL_TRANSPOSE_B = 4,
  BLAS_MATMUL_EPILOGUE = 7,
  BLAS_MATMUL_BIAS_POINTER = 8,
  BLAS_EPILOGUE_DEFAULT = 1,  // cublasLtEpilogue_t; the others are bits
  BLAS_EPILOGUE_RELU = 2,
  BLAS_EPILOGUE_BIAS = 4,
  BLAS_EPILOGUE_GELU = 32,
  BLAS_LAYOUT_BATCH_COUNT = 5,  // cublasLtMatrixLayoutAttribute_t
  BLAS_LAYOUT_BATCH_STRIDE = 6,
  BLAS_PREFERENCE_WORKSPACE_BYTES = 1,  // cublasLtMatmulPreferenceAttributes_t
  BLAS_PREFERENCE_ALIGNMENT_A = 5,
  BLAS_PREFERENCE_ALIGNMENT_B = 6,
  BLAS_PREFERENCE_ALIGNMENT_C = 7,
  BLAS_PREFERENCE_ALIGNMENT_D = 8,
};

typedef struct blas_algorithm {  // cublasLtMatmulAlgo_t
  uint64_t data[8];
} blas_algorithm_t;

typedef struct blas_heuristic {  // cublasLtMatmulHeuristicResult_t
  blas_algorithm_t algorithm;
  size_t workspace_bytes;
  blas_status_t state;
  float wave_count;
  int reserved[4];
} blas_heuristic_t;

_Static_assert(sizeof(blas_heuristic_t) == 96, "cublasLtMatmulHeuristicResult_t");

#define BLAS_FUNCTIONS(X)                                                                                          \
  X(create, "cublasLtCreate", (blas_handle_t *))                                                                   \
  X(destroy, "cublasLtDestroy", (blas_handle_t))                                                                   \
  X(matmul_create, "cublasLtMatmulDescCreate", (blas_object_t *, int, int))                                        \
  X(matmul_set, "cublasLtMatmulDescSetAttribute", (blas_object_t, int, const void *, size_t))                      \
  X(matmul_destroy, "cublasLtMatmulDescDestroy", (blas_object_t))                                                  \
  X(layout_create, "cublasLtMatrixLayoutCreate", (blas_object_t *, int, uint64_t, uint64_t, int64_t))              \
  X(layout_set, "cublasLtMatrixLayoutSetAttribute", (blas_object_t, int, const void *, size_t))                    \
  X(layout_destroy, "cublasLtMatrixLayoutDestroy", (blas_object_t))                                                \
  X(preference_create, "cublasLtMatmulPreferenceCreate", (blas_object_t *))                                        \
  X(preference_set, "cublasLtMatmulPreferenceSetAttribute", (blas_object_t, int, const void *, size_t))            \
  X(preference_destroy, "cublasLtMatmulPreferenceDestroy", (blas_object_t))                                        \
  X(heuristic, "cublasLtMatmulAlgoGetHeuristic",                                                                   \
    (blas_handle_t, blas_object_t, blas_object_t, blas_object_t, blas_object_t, blas_object_t, blas_object_t, int, \
     blas_heuristic_t *, int *))                                                                                   \
  X(matmul, "cublasLtMatmul",                                                                                      \
    (blas_handle_t, blas_object_t, const void *, const void *, blas_object_t, const void *, blas_object_t,         \
     const void *, const void *, blas_object_t, void *, blas_object_t, const blas_algorithm_t *, void *, size_t,   \
     cu_stream_t))

typedef struct blas {
#define BLAS_FIELD(field, symbol, parameters) blas_status_t(*field) parameters;
  BLAS_FUNCTIONS(BLAS_FIELD)
#undef BLAS_FIELD
  void *library;
  blas_handle_t handle;
} blas_t;

static const struct {
  const char *symbol;
  size_t offset;
} kFunctions[] = {
#define BLAS_ENTRY(field, symbol, parameters) {symbol, offsetof(blas_t, field)},
    BLAS_FUNCTIONS(BLAS_ENTRY)
#undef BLAS_ENTRY
};

// cuBLASLt stores columns one after another, we rows: what it computes is d^T = b^T a^T, so its first operand is our b
// and its rows are our columns.
typedef struct blas_plan {
  blas_object_t matmul;
  blas_object_t a, b, d;  // layouts of our a, b, and of d and the residual
  blas_heuristic_t choice;
  union {
    float f32;
    double f64;
  } alpha, beta;
} blas_plan_t;

static genie_status_t check(blas_status_t status, const char *what) {
  if (status == 0) {
    return GENIE_OK;
  }
  return genie_status_make(status == BLAS_NOT_SUPPORTED ? GENIE_STATUS_UNIMPLEMENTED : GENIE_STATUS_INTERNAL,
                           "cuBLASLt: %s failed with status %d", what, status);
}

// ---- The library ----

genie_status_t genie_cuda_blas_open(genie_cuda_device_t *device, void **out_library) {
  static const char *const kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(blas_t), &memory));
  blas_t *blas = memory;
  genie_status_t status = genie_cuda_library_open(device, kNames, 2, &blas->library);
  for (size_t i = 0; status == GENIE_OK && i < sizeof(kFunctions) / sizeof(kFunctions[0]); ++i) {
    void *function = dlsym(blas->library, kFunctions[i].symbol);
    if (function == NULL) {
      status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "cuBLASLt has no %s", kFunctions[i].symbol);
    } else {
      memcpy((char *)blas + kFunctions[i].offset, &function, sizeof(function));
    }
  }
  if (status == GENIE_OK) {
    status = check(blas->create(&blas->handle), "opening");
  }
  if (status != GENIE_OK) {
    genie_cuda_blas_close(device, blas);
    return status;
  }
  *out_library = blas;
  return GENIE_OK;
}

void genie_cuda_blas_close(genie_cuda_device_t *device, void *library) {
  blas_t *blas = library;
  if (blas->handle != NULL) {
    (void)blas->destroy(blas->handle);
  }
  if (blas->library != NULL) {
    dlclose(blas->library);
  }
  genie_allocator_free(device->base.allocator, blas);
}

// ---- Plans ----

static genie_status_t type_of(int64_t dtype, int *out_type) {
  static const int kTypes[][2] = {{GENIE_DTYPE_F32, BLAS_REAL_32F},
                                  {GENIE_DTYPE_F64, BLAS_REAL_64F},
                                  {GENIE_DTYPE_F16, BLAS_REAL_16F},
                                  {GENIE_DTYPE_BF16, BLAS_REAL_16BF}};
  for (size_t i = 0; i < sizeof(kTypes) / sizeof(kTypes[0]); ++i) {
    if (kTypes[i][0] == dtype) {
      *out_type = kTypes[i][1];
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no product of element type %lld", (long long)dtype);
}

static genie_status_t epilogue_of(const int64_t *dims, uint32_t *out_epilogue) {
  static const uint32_t kActivations[] = {
      [GENIE_LIBRARY_ACTIVATION_NONE] = 0,
      [GENIE_LIBRARY_ACTIVATION_RELU] = BLAS_EPILOGUE_RELU,
      [GENIE_LIBRARY_ACTIVATION_GELU_TANH] = BLAS_EPILOGUE_GELU,
  };
  const int64_t activation = dims[GENIE_LIBRARY_MATMUL_ACTIVATION];
  if (activation < 0 || activation >= (int64_t)(sizeof(kActivations) / sizeof(kActivations[0]))) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "activation %lld", (long long)activation);
  }
  const bool has_bias = (dims[GENIE_LIBRARY_MATMUL_FLAGS] & GENIE_LIBRARY_HAS_BIAS) != 0;
  const uint32_t epilogue = kActivations[activation] | (has_bias ? BLAS_EPILOGUE_BIAS : 0);
  *out_epilogue = epilogue == 0 ? BLAS_EPILOGUE_DEFAULT : epilogue;
  return GENIE_OK;
}

// A stored matrix of `rows` rows of ours.
static genie_status_t create_layout(const blas_t *blas, int type, int64_t rows, int64_t columns, int64_t row_stride,
                                    int64_t batch, int64_t batch_stride, blas_object_t *out_layout) {
  const int32_t count = (int32_t)batch;
  if (rows < 1 || columns < 1 || row_stride < columns || batch > INT32_MAX || batch_stride < 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%lld matrices of %lld x %lld with rows %lld apart",
                             (long long)batch, (long long)rows, (long long)columns, (long long)row_stride);
  }
  GENIE_RETURN_IF_ERROR(
      check(blas->layout_create(out_layout, type, (uint64_t)columns, (uint64_t)rows, row_stride), "a layout"));
  GENIE_RETURN_IF_ERROR(
      check(blas->layout_set(*out_layout, BLAS_LAYOUT_BATCH_COUNT, &count, sizeof(count)), "a layout's batch"));
  return check(blas->layout_set(*out_layout, BLAS_LAYOUT_BATCH_STRIDE, &batch_stride, sizeof(batch_stride)),
               "a layout's stride");
}

static genie_status_t create_layouts(const blas_t *blas, const int64_t *dims, blas_plan_t *plan) {
  const int64_t m = dims[GENIE_LIBRARY_MATMUL_M], n = dims[GENIE_LIBRARY_MATMUL_N], k = dims[GENIE_LIBRARY_MATMUL_K];
  const int64_t batch = dims[GENIE_LIBRARY_MATMUL_BATCH];
  const bool is_a_transposed = dims[GENIE_LIBRARY_MATMUL_A_IS_TRANSPOSED] != 0;
  const bool is_b_transposed = dims[GENIE_LIBRARY_MATMUL_B_IS_TRANSPOSED] != 0;
  int type = 0, d_type = 0;
  GENIE_RETURN_IF_ERROR(type_of(dims[GENIE_LIBRARY_MATMUL_TYPE], &type));
  GENIE_RETURN_IF_ERROR(type_of(dims[GENIE_LIBRARY_MATMUL_D_TYPE], &d_type));
  GENIE_RETURN_IF_ERROR(create_layout(blas, type, is_a_transposed ? k : m, is_a_transposed ? m : k,
                                      dims[GENIE_LIBRARY_MATMUL_A_ROW_STRIDE], batch,
                                      dims[GENIE_LIBRARY_MATMUL_A_BATCH_STRIDE], &plan->a));
  GENIE_RETURN_IF_ERROR(create_layout(blas, type, is_b_transposed ? n : k, is_b_transposed ? k : n,
                                      dims[GENIE_LIBRARY_MATMUL_B_ROW_STRIDE], batch,
                                      dims[GENIE_LIBRARY_MATMUL_B_BATCH_STRIDE], &plan->b));
  return create_layout(blas, d_type, m, n, dims[GENIE_LIBRARY_MATMUL_D_ROW_STRIDE], batch,
                       dims[GENIE_LIBRARY_MATMUL_D_BATCH_STRIDE], &plan->d);
}

static genie_status_t create_matmul(const blas_t *blas, const genie_device_launch_t *launch, blas_plan_t *plan) {
  const int64_t *dims = launch->dims;
  const bool is_f64 = dims[GENIE_LIBRARY_MATMUL_TYPE] == GENIE_DTYPE_F64;
  const bool is_tf32 =
      dims[GENIE_LIBRARY_MATMUL_MATH] == GENIE_LIBRARY_MATH_TF32 && dims[GENIE_LIBRARY_MATMUL_TYPE] == GENIE_DTYPE_F32;
  const int compute = is_f64 ? BLAS_COMPUTE_64F : is_tf32 ? BLAS_COMPUTE_32F_FAST_TF32 : BLAS_COMPUTE_32F;
  const int32_t a_operation = dims[GENIE_LIBRARY_MATMUL_A_IS_TRANSPOSED] != 0 ? BLAS_OPERATION_TRANSPOSE : 0;
  const int32_t b_operation = dims[GENIE_LIBRARY_MATMUL_B_IS_TRANSPOSED] != 0 ? BLAS_OPERATION_TRANSPOSE : 0;
  uint32_t epilogue = 0;
  double alpha = 0;
  memcpy(&alpha, &dims[GENIE_LIBRARY_MATMUL_ALPHA_BITS], sizeof(alpha));
  const double beta = (dims[GENIE_LIBRARY_MATMUL_FLAGS] & GENIE_LIBRARY_HAS_RESIDUAL) != 0 ? 1 : 0;
  if (is_f64) {
    plan->alpha.f64 = alpha;
    plan->beta.f64 = beta;
  } else {
    plan->alpha.f32 = (float)alpha;
    plan->beta.f32 = (float)beta;
  }
  GENIE_RETURN_IF_ERROR(epilogue_of(dims, &epilogue));
  GENIE_RETURN_IF_ERROR(
      check(blas->matmul_create(&plan->matmul, compute, is_f64 ? BLAS_REAL_64F : BLAS_REAL_32F), "a product"));
  GENIE_RETURN_IF_ERROR(check(
      blas->matmul_set(plan->matmul, BLAS_MATMUL_TRANSPOSE_A, &b_operation, sizeof(b_operation)), "a transposition"));
  GENIE_RETURN_IF_ERROR(check(
      blas->matmul_set(plan->matmul, BLAS_MATMUL_TRANSPOSE_B, &a_operation, sizeof(a_operation)), "a transposition"));
  return check(blas->matmul_set(plan->matmul, BLAS_MATMUL_EPILOGUE, &epilogue, sizeof(epilogue)), "an epilogue");
}

static bool has_bias(const genie_device_launch_t *launch) {
  return (launch->dims[GENIE_LIBRARY_MATMUL_FLAGS] & GENIE_LIBRARY_HAS_BIAS) != 0;
}

// The bias is the first slice behind the fixed three, the residual the next.
static genie_status_t set_bias(const blas_t *blas, const genie_device_launch_t *launch, const blas_plan_t *plan) {
  const void *bias = has_bias(launch) ? launch->args[3] : NULL;
  return bias == NULL ? GENIE_OK
                      : check(blas->matmul_set(plan->matmul, BLAS_MATMUL_BIAS_POINTER, &bias, sizeof(bias)), "a bias");
}

static const void *residual_of(const genie_device_launch_t *launch) {
  const bool has_residual = (launch->dims[GENIE_LIBRARY_MATMUL_FLAGS] & GENIE_LIBRARY_HAS_RESIDUAL) != 0;
  return has_residual ? launch->args[has_bias(launch) ? 4 : 3] : launch->args[2];
}

static uint32_t alignment_of(const void *address) {
  const uintptr_t lowest = (uintptr_t)address & -(uintptr_t)address;
  return lowest == 0 || lowest > 256 ? 256 : (uint32_t)lowest;
}

static genie_status_t fill_preference(const blas_t *blas, const genie_device_launch_t *launch,
                                      blas_object_t preference) {
  const struct {
    int attribute;
    const void *address;
  } alignments[] = {{BLAS_PREFERENCE_ALIGNMENT_A, launch->args[1]},
                    {BLAS_PREFERENCE_ALIGNMENT_B, launch->args[0]},
                    {BLAS_PREFERENCE_ALIGNMENT_C, residual_of(launch)},
                    {BLAS_PREFERENCE_ALIGNMENT_D, launch->args[2]}};
  const uint64_t workspace_bytes = kGenieCudaWorkspaceBytes;
  for (size_t i = 0; i < sizeof(alignments) / sizeof(alignments[0]); ++i) {
    const uint32_t bytes = alignment_of(alignments[i].address);
    GENIE_RETURN_IF_ERROR(
        check(blas->preference_set(preference, alignments[i].attribute, &bytes, sizeof(bytes)), "an alignment"));
  }
  return check(
      blas->preference_set(preference, BLAS_PREFERENCE_WORKSPACE_BYTES, &workspace_bytes, sizeof(workspace_bytes)),
      "a workspace");
}

static genie_status_t choose(const blas_t *blas, const genie_device_launch_t *launch, blas_plan_t *plan) {
  blas_object_t preference = NULL;
  int count = 0;
  GENIE_RETURN_IF_ERROR(set_bias(blas, launch, plan));
  GENIE_RETURN_IF_ERROR(check(blas->preference_create(&preference), "a preference"));
  genie_status_t status = fill_preference(blas, launch, preference);
  if (status == GENIE_OK) {
    status = check(blas->heuristic(blas->handle, plan->matmul, plan->b, plan->a, plan->d, plan->d, preference, 1,
                                   &plan->choice, &count),
                   "the choice of an algorithm");
  }
  (void)blas->preference_destroy(preference);
  if (status == GENIE_OK && (count == 0 || plan->choice.state != 0)) {
    status = genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "cuBLASLt has no algorithm for this product");
  }
  return status;
}

static bool is_empty(const int64_t *dims) {
  return dims[GENIE_LIBRARY_MATMUL_M] == 0 || dims[GENIE_LIBRARY_MATMUL_N] == 0 ||
         dims[GENIE_LIBRARY_MATMUL_BATCH] == 0;
}

static uint32_t slice_count_of(const int64_t *dims) {
  const int64_t flags = dims[GENIE_LIBRARY_MATMUL_FLAGS];
  return 3u + ((flags & GENIE_LIBRARY_HAS_BIAS) != 0) + ((flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0);
}

genie_status_t genie_cuda_blas_plan_create(genie_cuda_device_t *device, void *library,
                                           const genie_device_launch_t *launch, void **out_plan) {
  const blas_t *blas = library;
  void *memory = NULL;
  if (launch->arg_count != slice_count_of(launch->dims)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%u slices with flags %lld", launch->arg_count,
                             (long long)launch->dims[GENIE_LIBRARY_MATMUL_FLAGS]);
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(blas_plan_t), &memory));
  blas_plan_t *plan = memory;
  genie_status_t status = GENIE_OK;
  if (!is_empty(launch->dims)) {
    status = create_layouts(blas, launch->dims, plan);
    if (status == GENIE_OK) {
      status = create_matmul(blas, launch, plan);
    }
    if (status == GENIE_OK) {
      status = choose(blas, launch, plan);
    }
  }
  if (status != GENIE_OK) {
    genie_cuda_blas_plan_destroy(device, library, plan);
    return status;
  }
  *out_plan = plan;
  return GENIE_OK;
}

genie_status_t genie_cuda_blas_plan_run(genie_cuda_device_t *device, void *library, genie_cuda_stream_t *stream,
                                        void *opaque, const genie_device_launch_t *launch) {
  const blas_t *blas = library;
  const blas_plan_t *plan = opaque;
  void *workspace = NULL;
  if (is_empty(launch->dims)) {
    return GENIE_OK;
  }
  if (plan->choice.workspace_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_cuda_library_workspace(device, stream, &workspace));
  }
  GENIE_RETURN_IF_ERROR(set_bias(blas, launch, plan));
  const blas_status_t status =
      blas->matmul(blas->handle, plan->matmul, &plan->alpha, launch->args[1], plan->b, launch->args[0], plan->a,
                   &plan->beta, residual_of(launch), plan->d, launch->args[2], plan->d, &plan->choice.algorithm,
                   workspace, plan->choice.workspace_bytes, stream->stream);
  return check(status, "a product");
}

void genie_cuda_blas_plan_destroy(genie_cuda_device_t *device, void *library, void *opaque) {
  const blas_t *blas = library;
  blas_plan_t *plan = opaque;
  blas_object_t layouts[] = {plan->a, plan->b, plan->d};
  for (size_t i = 0; i < 3; ++i) {
    if (layouts[i] != NULL) {
      (void)blas->layout_destroy(layouts[i]);
    }
  }
  if (plan->matmul != NULL) {
    (void)blas->matmul_destroy(plan->matmul);
  }
  genie_allocator_free(device->base.allocator, plan);
}
