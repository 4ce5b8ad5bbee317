#include "runtime/device/cuda/cuda_dnn.h"

#include <dlfcn.h>
#include <string.h>

#include "genie/dtype.h"
#include "runtime/device/cuda/cuda_library.h"

// ---- The part of cuDNN's graph interface that is used: names and values of cudnn_graph.h 9 ----

typedef int dnn_status_t;    // cudnnStatus_t; 0 is success
typedef void *dnn_object_t;  // cudnnBackendDescriptor_t
typedef struct dnn_context *dnn_handle_t;

enum {
  DNN_NOT_SUPPORTED = 3000,  // and the 999 codes behind it
  DNN_NOT_SUPPORTED_END = 4000,
  // cudnnDataType_t
  DNN_F32 = 0,
  DNN_F16 = 2,
  DNN_BF16 = 9,
  // cudnnBackendAttributeType_t
  DNN_TYPE_HANDLE = 0,
  DNN_TYPE_DATA_TYPE = 1,
  DNN_TYPE_BOOL = 2,
  DNN_TYPE_I64 = 3,
  DNN_TYPE_F64 = 5,
  DNN_TYPE_POINTER = 6,
  DNN_TYPE_CONVOLUTION_MODE = 7,
  DNN_TYPE_HEURISTIC_MODE = 8,
  DNN_TYPE_NUMERICAL_NOTE = 11,
  DNN_TYPE_POINTWISE_MODE = 14,
  DNN_TYPE_OBJECT = 15,
  // cudnnBackendDescriptorType_t
  DNN_POINTWISE = 0,
  DNN_CONVOLUTION = 1,
  DNN_ENGINE = 2,
  DNN_CONFIG = 3,
  DNN_HEURISTIC = 4,
  DNN_PLAN = 5,
  DNN_OPERATION_CONVOLUTION = 10,
  DNN_OPERATION_POINTWISE = 13,
  DNN_GRAPH = 15,
  DNN_PACK = 16,
  DNN_TENSOR = 17,
  DNN_OPERATION_SDPA = 41,  // since 9.13
  // cudnnBackendAttributeName_t
  DNN_POINTWISE_MODE = 0,
  DNN_POINTWISE_PRECISION = 1,
  DNN_CONVOLUTION_TYPE = 100,
  DNN_CONVOLUTION_MODE = 101,
  DNN_CONVOLUTION_DILATIONS = 102,
  DNN_CONVOLUTION_STRIDES = 103,
  DNN_CONVOLUTION_PADDINGS_HIGH = 104,
  DNN_CONVOLUTION_PADDINGS_LOW = 105,
  DNN_CONVOLUTION_SPATIAL_DIMS = 106,
  DNN_HEURISTIC_MODE = 200,
  DNN_HEURISTIC_GRAPH = 201,
  DNN_HEURISTIC_RESULTS = 202,
  DNN_CONFIG_ENGINE = 300,
  DNN_PLAN_HANDLE = 400,
  DNN_PLAN_CONFIG = 401,
  DNN_PLAN_WORKSPACE_BYTES = 402,
  DNN_OPERATION_CONVOLUTION_ALPHA = 700,
  DNN_OPERATION_CONVOLUTION_BETA = 701,
  DNN_OPERATION_CONVOLUTION_OBJECT = 702,
  DNN_OPERATION_CONVOLUTION_W = 703,
  DNN_OPERATION_CONVOLUTION_X = 704,
  DNN_OPERATION_CONVOLUTION_Y = 705,
  DNN_OPERATION_POINTWISE_OBJECT = 750,
  DNN_OPERATION_POINTWISE_X = 751,
  DNN_OPERATION_POINTWISE_B = 752,
  DNN_OPERATION_POINTWISE_Y = 753,
  DNN_GRAPH_HANDLE = 800,
  DNN_GRAPH_OPERATIONS = 801,
  DNN_TENSOR_ALIGNMENT = 900,
  DNN_TENSOR_TYPE = 901,
  DNN_TENSOR_DIMS = 902,
  DNN_TENSOR_STRIDES = 903,
  DNN_TENSOR_ID = 906,
  DNN_TENSOR_IS_VIRTUAL = 907,
  DNN_TENSOR_IS_BY_VALUE = 908,
  DNN_PACK_IDS = 1000,
  DNN_PACK_POINTERS = 1001,
  DNN_PACK_WORKSPACE = 1003,
  DNN_ENGINE_NUMERICAL_NOTES = 1303,
  DNN_OPERATION_SDPA_Q = 2800,
  DNN_OPERATION_SDPA_K = 2801,
  DNN_OPERATION_SDPA_V = 2802,
  DNN_OPERATION_SDPA_O = 2803,
  DNN_OPERATION_SDPA_SCALE = 2805,
  // cudnnPointwiseMode_t, cudnnConvolutionMode_t, cudnnBackendHeurMode_t, cudnnBackendNumericalNote_t
  DNN_ADD = 0,
  DNN_RELU = 100,
  DNN_CROSS_CORRELATION = 1,
  DNN_HEURISTIC_FALLBACK = 2,
  DNN_HEURISTIC_A = 3,
  DNN_NOTE_TENSOR_CORE = 0,
  DNN_NOTE_DOWN_CONVERT_INPUTS = 1,
  DNN_NOTE_REDUCED_PRECISION = 2,  // of sums
  DNN_NOTE_FFT = 3,
  DNN_NOTE_WINOGRAD = 5,  // and its three tiles
  DNN_NOTE_WINOGRAD_13X13 = 8,
};

#define DNN_FUNCTIONS(X)                                                                          \
  X(create, "cudnnCreate", (dnn_handle_t *))                                                      \
  X(destroy, "cudnnDestroy", (dnn_handle_t))                                                      \
  X(set_stream, "cudnnSetStream", (dnn_handle_t, cu_stream_t))                                    \
  X(object_create, "cudnnBackendCreateDescriptor", (int, dnn_object_t *))                         \
  X(object_destroy, "cudnnBackendDestroyDescriptor", (dnn_object_t))                              \
  X(object_finalize, "cudnnBackendFinalize", (dnn_object_t))                                      \
  X(object_set, "cudnnBackendSetAttribute", (dnn_object_t, int, int, int64_t, const void *))      \
  X(object_get, "cudnnBackendGetAttribute", (dnn_object_t, int, int, int64_t, int64_t *, void *)) \
  X(execute, "cudnnBackendExecute", (dnn_handle_t, dnn_object_t, dnn_object_t))

typedef struct dnn {
#define DNN_FIELD(field, symbol, parameters) dnn_status_t(*field) parameters;
  DNN_FUNCTIONS(DNN_FIELD)
#undef DNN_FIELD
  void *library;
  dnn_handle_t handle;
} dnn_t;

static const struct {
  const char *symbol;
  size_t offset;
} kFunctions[] = {
#define DNN_ENTRY(field, symbol, parameters) {symbol, offsetof(dnn_t, field)},
    DNN_FUNCTIONS(DNN_ENTRY)
#undef DNN_ENTRY
};

enum {
  kMostObjects = 64,  // of one plan
  kMostConfigs = 24,
  kMostNotes = 16,
  kRank = 4,
  kAlignment = 16,  // of every slice's address
};

// Descriptors refer to each other, so a plan keeps all that it was made of.
typedef struct dnn_plan {
  dnn_object_t objects[kMostObjects];
  uint32_t object_count;
  dnn_object_t plan;  // among the objects
  int64_t workspace_bytes;
  bool has_scale;
  float scale;  // a tensor by value
} dnn_plan_t;

// Tensors of the call are known by their slice's position, others by numbers from here on.
enum { kScaleId = 50, kFirstVirtualId = 100 };

static genie_status_t check(dnn_status_t status, const char *what) {
  if (status == 0) {
    return GENIE_OK;
  }
  const bool is_unsupported = status >= DNN_NOT_SUPPORTED && status < DNN_NOT_SUPPORTED_END;
  return genie_status_make(is_unsupported ? GENIE_STATUS_UNIMPLEMENTED : GENIE_STATUS_INTERNAL,
                           "cuDNN: %s failed with status %d", what, status);
}

// ---- The library ----

genie_status_t genie_cuda_dnn_open(genie_cuda_device_t *device, void **out_library) {
  static const char *const kNames[] = {"libcudnn.so.9"};
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(dnn_t), &memory));
  dnn_t *dnn = memory;
  genie_status_t status = genie_cuda_library_open(device, kNames, 1, &dnn->library);
  for (size_t i = 0; status == GENIE_OK && i < sizeof(kFunctions) / sizeof(kFunctions[0]); ++i) {
    void *function = dlsym(dnn->library, kFunctions[i].symbol);
    if (function == NULL) {
      status = genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "cuDNN has no %s", kFunctions[i].symbol);
    } else {
      memcpy((char *)dnn + kFunctions[i].offset, &function, sizeof(function));
    }
  }
  if (status == GENIE_OK) {
    status = check(dnn->create(&dnn->handle), "opening");
  }
  if (status != GENIE_OK) {
    genie_cuda_dnn_close(device, dnn);
    return status;
  }
  *out_library = dnn;
  return GENIE_OK;
}

void genie_cuda_dnn_close(genie_cuda_device_t *device, void *library) {
  dnn_t *dnn = library;
  if (dnn->handle != NULL) {
    (void)dnn->destroy(dnn->handle);
  }
  if (dnn->library != NULL) {
    dlclose(dnn->library);
  }
  genie_allocator_free(device->base.allocator, dnn);
}

// ---- Descriptors ----

// A builder keeps the first failure, so that a list of sets is written without a check behind each.
typedef struct dnn_builder {
  const dnn_t *dnn;
  dnn_plan_t *plan;
  int64_t next_id;
  genie_status_t status;
} dnn_builder_t;

static void note(dnn_builder_t *builder, dnn_status_t status, const char *what) {
  if (builder->status == GENIE_OK) {
    builder->status = check(status, what);
  }
}

static dnn_object_t make(dnn_builder_t *builder, int kind) {
  dnn_object_t object = NULL;
  if (builder->status != GENIE_OK) {
    return NULL;
  }
  if (builder->plan->object_count == kMostObjects) {
    builder->status =
        genie_status_make(GENIE_STATUS_INTERNAL, "cuDNN: a plan of more than %d descriptors", kMostObjects);
    return NULL;
  }
  note(builder, builder->dnn->object_create(kind, &object), "a descriptor");
  if (object != NULL) {
    builder->plan->objects[builder->plan->object_count++] = object;
  }
  return object;
}

static void set(dnn_builder_t *builder, dnn_object_t object, int name, int type, int64_t count, const void *values) {
  if (builder->status == GENIE_OK) {
    note(builder, builder->dnn->object_set(object, name, type, count, values), "an attribute");
  }
}

static void finalize(dnn_builder_t *builder, dnn_object_t object, const char *what) {
  if (builder->status == GENIE_OK) {
    note(builder, builder->dnn->object_finalize(object), what);
  }
}

static dnn_object_t make_strided(dnn_builder_t *builder, int64_t id, int type, const int64_t dims[kRank],
                                 const int64_t strides[kRank]) {
  const int64_t alignment = kAlignment;
  const bool is_virtual = id >= kFirstVirtualId, is_by_value = id == kScaleId;
  dnn_object_t tensor = make(builder, DNN_TENSOR);
  set(builder, tensor, DNN_TENSOR_TYPE, DNN_TYPE_DATA_TYPE, 1, &type);
  set(builder, tensor, DNN_TENSOR_DIMS, DNN_TYPE_I64, kRank, dims);
  set(builder, tensor, DNN_TENSOR_STRIDES, DNN_TYPE_I64, kRank, strides);
  set(builder, tensor, DNN_TENSOR_ID, DNN_TYPE_I64, 1, &id);
  set(builder, tensor, DNN_TENSOR_ALIGNMENT, DNN_TYPE_I64, 1, &alignment);
  if (is_virtual) {
    set(builder, tensor, DNN_TENSOR_IS_VIRTUAL, DNN_TYPE_BOOL, 1, &is_virtual);
  }
  if (is_by_value) {
    set(builder, tensor, DNN_TENSOR_IS_BY_VALUE, DNN_TYPE_BOOL, 1, &is_by_value);
  }
  finalize(builder, tensor, "a tensor");
  return tensor;
}

// [n, channels, h, w], channels last in memory.
static dnn_object_t make_tensor(dnn_builder_t *builder, int64_t id, int type, const int64_t dims[kRank]) {
  const int64_t strides[kRank] = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
  return make_strided(builder, id, type, dims, strides);
}

// y = mode(x) or mode(x, b), in f32.
static dnn_object_t make_pointwise(dnn_builder_t *builder, int mode, dnn_object_t x, dnn_object_t b, dnn_object_t y) {
  const int precision = DNN_F32;
  dnn_object_t pointwise = make(builder, DNN_POINTWISE);
  set(builder, pointwise, DNN_POINTWISE_MODE, DNN_TYPE_POINTWISE_MODE, 1, &mode);
  set(builder, pointwise, DNN_POINTWISE_PRECISION, DNN_TYPE_DATA_TYPE, 1, &precision);
  finalize(builder, pointwise, "a pointwise function");
  dnn_object_t operation = make(builder, DNN_OPERATION_POINTWISE);
  set(builder, operation, DNN_OPERATION_POINTWISE_OBJECT, DNN_TYPE_OBJECT, 1, &pointwise);
  set(builder, operation, DNN_OPERATION_POINTWISE_X, DNN_TYPE_OBJECT, 1, &x);
  if (b != NULL) {
    set(builder, operation, DNN_OPERATION_POINTWISE_B, DNN_TYPE_OBJECT, 1, &b);
  }
  set(builder, operation, DNN_OPERATION_POINTWISE_Y, DNN_TYPE_OBJECT, 1, &y);
  finalize(builder, operation, "a pointwise operation");
  return operation;
}

static dnn_object_t make_convolution(dnn_builder_t *builder, const int64_t *dims) {
  const int type = DNN_F32, mode = DNN_CROSS_CORRELATION;
  const int64_t spatial_dims = 2;
  const int64_t low[] = {dims[GENIE_LIBRARY_CONV_PAD_TOP], dims[GENIE_LIBRARY_CONV_PAD_LEFT]};
  const int64_t high[] = {dims[GENIE_LIBRARY_CONV_PAD_BOTTOM], dims[GENIE_LIBRARY_CONV_PAD_RIGHT]};
  const int64_t strides[] = {dims[GENIE_LIBRARY_CONV_STRIDE_H], dims[GENIE_LIBRARY_CONV_STRIDE_W]};
  const int64_t dilations[] = {dims[GENIE_LIBRARY_CONV_DILATION_H], dims[GENIE_LIBRARY_CONV_DILATION_W]};
  dnn_object_t convolution = make(builder, DNN_CONVOLUTION);
  set(builder, convolution, DNN_CONVOLUTION_SPATIAL_DIMS, DNN_TYPE_I64, 1, &spatial_dims);
  set(builder, convolution, DNN_CONVOLUTION_TYPE, DNN_TYPE_DATA_TYPE, 1, &type);
  set(builder, convolution, DNN_CONVOLUTION_MODE, DNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  set(builder, convolution, DNN_CONVOLUTION_PADDINGS_LOW, DNN_TYPE_I64, 2, low);
  set(builder, convolution, DNN_CONVOLUTION_PADDINGS_HIGH, DNN_TYPE_I64, 2, high);
  set(builder, convolution, DNN_CONVOLUTION_STRIDES, DNN_TYPE_I64, 2, strides);
  set(builder, convolution, DNN_CONVOLUTION_DILATIONS, DNN_TYPE_I64, 2, dilations);
  finalize(builder, convolution, "a convolution");
  return convolution;
}

// ---- The operations of a convolution ----

enum { CONV_X = 0, CONV_W = 1, CONV_Y = 2, kMostOperations = 4 };

typedef struct conv_call {
  int64_t y_dims[kRank];
  int type;
  bool has_bias, has_residual, has_relu;
} conv_call_t;

static genie_status_t type_of(int64_t dtype, int *out_type) {
  static const int kTypes[][2] = {{GENIE_DTYPE_F32, DNN_F32}, {GENIE_DTYPE_F16, DNN_F16}, {GENIE_DTYPE_BF16, DNN_BF16}};
  for (size_t i = 0; i < sizeof(kTypes) / sizeof(kTypes[0]); ++i) {
    if (kTypes[i][0] == dtype) {
      *out_type = kTypes[i][1];
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "cuDNN: element type %lld", (long long)dtype);
}

static int64_t output_size(int64_t size, int64_t padding, int64_t kernel, int64_t stride, int64_t dilation) {
  return (size + padding - dilation * (kernel - 1) - 1) / stride + 1;
}

static genie_status_t read_conv(const genie_device_launch_t *launch, conv_call_t *call) {
  const int64_t *dims = launch->dims;
  for (int i = 0; i < GENIE_LIBRARY_CONV_TYPE; ++i) {
    const bool is_padding = i >= GENIE_LIBRARY_CONV_PAD_TOP && i <= GENIE_LIBRARY_CONV_PAD_RIGHT;
    if (dims[i] < (is_padding ? 0 : 1)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "dim %d is %lld", i, (long long)dims[i]);
    }
  }
  const int64_t activation = dims[GENIE_LIBRARY_CONV_ACTIVATION], flags = dims[GENIE_LIBRARY_CONV_FLAGS];
  if (activation != GENIE_LIBRARY_ACTIVATION_NONE && activation != GENIE_LIBRARY_ACTIVATION_RELU) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "activation %lld", (long long)activation);
  }
  call->has_bias = (flags & GENIE_LIBRARY_HAS_BIAS) != 0;
  call->has_residual = (flags & GENIE_LIBRARY_HAS_RESIDUAL) != 0;
  call->has_relu = activation == GENIE_LIBRARY_ACTIVATION_RELU;
  if (launch->arg_count != 3u + call->has_bias + call->has_residual) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%u slices with flags %lld", launch->arg_count,
                             (long long)flags);
  }
  call->y_dims[0] = dims[GENIE_LIBRARY_CONV_N];
  call->y_dims[1] = dims[GENIE_LIBRARY_CONV_K];
  call->y_dims[2] =
      output_size(dims[GENIE_LIBRARY_CONV_H], dims[GENIE_LIBRARY_CONV_PAD_TOP] + dims[GENIE_LIBRARY_CONV_PAD_BOTTOM],
                  dims[GENIE_LIBRARY_CONV_R], dims[GENIE_LIBRARY_CONV_STRIDE_H], dims[GENIE_LIBRARY_CONV_DILATION_H]);
  call->y_dims[3] =
      output_size(dims[GENIE_LIBRARY_CONV_W], dims[GENIE_LIBRARY_CONV_PAD_LEFT] + dims[GENIE_LIBRARY_CONV_PAD_RIGHT],
                  dims[GENIE_LIBRARY_CONV_S], dims[GENIE_LIBRARY_CONV_STRIDE_W], dims[GENIE_LIBRARY_CONV_DILATION_W]);
  return type_of(dims[GENIE_LIBRARY_CONV_TYPE], &call->type);
}

// Where the chain of operations writes next: a value that stays inside, or y behind the last one.
static dnn_object_t next_value(dnn_builder_t *builder, const conv_call_t *call, bool is_last) {
  return make_tensor(builder, is_last ? CONV_Y : builder->next_id++, is_last ? call->type : DNN_F32, call->y_dims);
}

static uint32_t make_operations(dnn_builder_t *builder, const int64_t *dims, const conv_call_t *call,
                                dnn_object_t operations[kMostOperations]) {
  const int64_t x_dims[] = {dims[GENIE_LIBRARY_CONV_N], dims[GENIE_LIBRARY_CONV_C], dims[GENIE_LIBRARY_CONV_H],
                            dims[GENIE_LIBRARY_CONV_W]};
  const int64_t w_dims[] = {dims[GENIE_LIBRARY_CONV_K], dims[GENIE_LIBRARY_CONV_C] / dims[GENIE_LIBRARY_CONV_GROUPS],
                            dims[GENIE_LIBRARY_CONV_R], dims[GENIE_LIBRARY_CONV_S]};
  const int64_t bias_dims[] = {1, call->y_dims[1], 1, 1};
  const double one = 1, nothing = 0;
  uint32_t count = 0;
  int64_t slice = 3;
  dnn_object_t x = make_tensor(builder, CONV_X, call->type, x_dims);
  dnn_object_t w = make_tensor(builder, CONV_W, call->type, w_dims);
  dnn_object_t convolution = make_convolution(builder, dims);
  dnn_object_t value = next_value(builder, call, !call->has_bias && !call->has_residual && !call->has_relu);
  dnn_object_t operation = make(builder, DNN_OPERATION_CONVOLUTION);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_OBJECT, DNN_TYPE_OBJECT, 1, &convolution);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_X, DNN_TYPE_OBJECT, 1, &x);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_W, DNN_TYPE_OBJECT, 1, &w);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_Y, DNN_TYPE_OBJECT, 1, &value);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_ALPHA, DNN_TYPE_F64, 1, &one);
  set(builder, operation, DNN_OPERATION_CONVOLUTION_BETA, DNN_TYPE_F64, 1, &nothing);
  finalize(builder, operation, "the operation of a convolution");
  operations[count++] = operation;
  if (call->has_bias) {
    dnn_object_t bias = make_tensor(builder, slice++, call->type, bias_dims);
    dnn_object_t sum = next_value(builder, call, !call->has_residual && !call->has_relu);
    operations[count++] = make_pointwise(builder, DNN_ADD, value, bias, sum);
    value = sum;
  }
  if (call->has_residual) {
    dnn_object_t residual = make_tensor(builder, slice++, call->type, call->y_dims);
    dnn_object_t sum = next_value(builder, call, !call->has_relu);
    operations[count++] = make_pointwise(builder, DNN_ADD, value, residual, sum);
    value = sum;
  }
  if (call->has_relu) {
    operations[count++] = make_pointwise(builder, DNN_RELU, value, NULL, next_value(builder, call, true));
  }
  return count;
}

// ---- The choice of an engine ----

// What an engine may not do: sums are in f32 as they are written down, and f32 operands stay as they are (tensor cores
// round them to TF32) unless they need not.
static bool is_refused(int note, bool must_be_exact) {
  return note == DNN_NOTE_REDUCED_PRECISION || note == DNN_NOTE_FFT ||
         (note >= DNN_NOTE_WINOGRAD && note <= DNN_NOTE_WINOGRAD_13X13) ||
         (must_be_exact && (note == DNN_NOTE_TENSOR_CORE || note == DNN_NOTE_DOWN_CONVERT_INPUTS));
}

static bool is_precise(const dnn_t *dnn, dnn_object_t config, bool must_be_exact) {
  dnn_object_t engine = NULL;
  int64_t count = 0;
  int notes[kMostNotes] = {0};
  bool result = false;
  if (dnn->object_create(DNN_ENGINE, &engine) == 0 &&
      dnn->object_get(config, DNN_CONFIG_ENGINE, DNN_TYPE_OBJECT, 1, &count, &engine) == 0 &&
      dnn->object_get(engine, DNN_ENGINE_NUMERICAL_NOTES, DNN_TYPE_NUMERICAL_NOTE, kMostNotes, &count, notes) == 0) {
    result = true;
    for (int64_t i = 0; i < count && i < kMostNotes; ++i) {
      result = result && !is_refused(notes[i], must_be_exact);
    }
  }
  if (engine != NULL) {
    (void)dnn->object_destroy(engine);
  }
  return result;
}

// Whether `config` makes a plan that fits the workspace; the plan is then kept.
static bool try_config(dnn_builder_t *builder, dnn_object_t config) {
  const dnn_t *dnn = builder->dnn;
  dnn_object_t plan = NULL;
  int64_t count = 0, workspace_bytes = 0;
  if (dnn->object_create(DNN_PLAN, &plan) != 0) {
    return false;
  }
  if (dnn->object_set(plan, DNN_PLAN_HANDLE, DNN_TYPE_HANDLE, 1, &dnn->handle) == 0 &&
      dnn->object_set(plan, DNN_PLAN_CONFIG, DNN_TYPE_OBJECT, 1, &config) == 0 && dnn->object_finalize(plan) == 0 &&
      dnn->object_get(plan, DNN_PLAN_WORKSPACE_BYTES, DNN_TYPE_I64, 1, &count, &workspace_bytes) == 0 &&
      workspace_bytes <= kGenieCudaWorkspaceBytes && builder->plan->object_count < kMostObjects) {
    builder->plan->objects[builder->plan->object_count++] = plan;
    builder->plan->plan = plan;
    builder->plan->workspace_bytes = workspace_bytes;
    return true;
  }
  (void)dnn->object_destroy(plan);
  return false;
}

static void choose_from(dnn_builder_t *builder, dnn_object_t graph, int mode, bool must_be_exact) {
  const dnn_t *dnn = builder->dnn;
  dnn_object_t configs[kMostConfigs] = {NULL};
  int64_t count = 0;
  dnn_object_t heuristic = make(builder, DNN_HEURISTIC);
  set(builder, heuristic, DNN_HEURISTIC_GRAPH, DNN_TYPE_OBJECT, 1, &graph);
  set(builder, heuristic, DNN_HEURISTIC_MODE, DNN_TYPE_HEURISTIC_MODE, 1, &mode);
  finalize(builder, heuristic, "the choice of an engine");
  if (builder->status != GENIE_OK) {
    return;
  }
  for (int i = 0; i < kMostConfigs; ++i) {
    if (dnn->object_create(DNN_CONFIG, &configs[i]) != 0) {
      configs[i] = NULL;
    }
  }
  if (dnn->object_get(heuristic, DNN_HEURISTIC_RESULTS, DNN_TYPE_OBJECT, kMostConfigs, &count, configs) != 0) {
    count = 0;
  }
  for (int i = 0; i < count && i < kMostConfigs && builder->plan->plan == NULL; ++i) {
    if (is_precise(dnn, configs[i], must_be_exact)) {
      (void)try_config(builder, configs[i]);
    }
  }
  for (int i = 0; i < kMostConfigs; ++i) {
    if (configs[i] != NULL) {
      (void)dnn->object_destroy(configs[i]);
    }
  }
}

static void choose(dnn_builder_t *builder, dnn_object_t *operations, uint32_t operation_count, bool must_be_exact) {
  dnn_object_t graph = make(builder, DNN_GRAPH);
  set(builder, graph, DNN_GRAPH_OPERATIONS, DNN_TYPE_OBJECT, operation_count, operations);
  set(builder, graph, DNN_GRAPH_HANDLE, DNN_TYPE_HANDLE, 1, &builder->dnn->handle);
  finalize(builder, graph, "a graph");
  choose_from(builder, graph, DNN_HEURISTIC_A, must_be_exact);
  if (builder->status == GENIE_OK && builder->plan->plan == NULL) {
    choose_from(builder, graph, DNN_HEURISTIC_FALLBACK, must_be_exact);
  }
  if (builder->status == GENIE_OK && builder->plan->plan == NULL) {
    builder->status = genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "cuDNN has no engine for this call");
  }
}

static bool is_empty(const genie_device_launch_t *launch) {
  return launch->dims[GENIE_LIBRARY_CONV_N] == 0;
}

genie_status_t genie_cuda_dnn_conv_create(genie_cuda_device_t *device, void *library,
                                          const genie_device_launch_t *launch, void **out_plan) {
  void *memory = NULL;
  conv_call_t call = {0};
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(dnn_plan_t), &memory));
  dnn_builder_t builder = {.dnn = library, .plan = memory, .next_id = kFirstVirtualId};
  if (!is_empty(launch)) {
    builder.status = read_conv(launch, &call);
  }
  if (!is_empty(launch) && builder.status == GENIE_OK) {
    dnn_object_t operations[kMostOperations];
    const bool must_be_exact = call.type == DNN_F32 && launch->dims[GENIE_LIBRARY_CONV_MATH] != GENIE_LIBRARY_MATH_TF32;
    const uint32_t count = make_operations(&builder, launch->dims, &call, operations);
    choose(&builder, operations, count, must_be_exact);
  }
  if (builder.status != GENIE_OK) {
    genie_cuda_dnn_plan_destroy(device, library, builder.plan);
    return builder.status;
  }
  *out_plan = builder.plan;
  return GENIE_OK;
}

// ---- Attention ----

static dnn_object_t make_heads(dnn_builder_t *builder, const int64_t *dims, int64_t slice, int type, int heads_dim,
                               int rows_dim, int length_dim, int first_stride_dim) {
  const int64_t sizes[kRank] = {dims[GENIE_LIBRARY_SDPA_B], dims[heads_dim], dims[rows_dim], dims[length_dim]};
  const int64_t strides[kRank] = {dims[first_stride_dim], dims[first_stride_dim + 1], dims[first_stride_dim + 2], 1};
  return make_strided(builder, slice, type, sizes, strides);
}

static dnn_object_t make_attention(dnn_builder_t *builder, const int64_t *dims, int type) {
  static const int64_t kOnes[kRank] = {1, 1, 1, 1};
  dnn_object_t q = make_heads(builder, dims, 0, type, GENIE_LIBRARY_SDPA_H, GENIE_LIBRARY_SDPA_L, GENIE_LIBRARY_SDPA_E,
                              GENIE_LIBRARY_SDPA_Q_BATCH_STRIDE);
  dnn_object_t k = make_heads(builder, dims, 1, type, GENIE_LIBRARY_SDPA_G, GENIE_LIBRARY_SDPA_S, GENIE_LIBRARY_SDPA_E,
                              GENIE_LIBRARY_SDPA_K_BATCH_STRIDE);
  dnn_object_t v = make_heads(builder, dims, 2, type, GENIE_LIBRARY_SDPA_G, GENIE_LIBRARY_SDPA_S, GENIE_LIBRARY_SDPA_D,
                              GENIE_LIBRARY_SDPA_V_BATCH_STRIDE);
  dnn_object_t o = make_heads(builder, dims, 3, type, GENIE_LIBRARY_SDPA_H, GENIE_LIBRARY_SDPA_L, GENIE_LIBRARY_SDPA_D,
                              GENIE_LIBRARY_SDPA_O_BATCH_STRIDE);
  dnn_object_t scale = make_strided(builder, kScaleId, DNN_F32, kOnes, kOnes);
  dnn_object_t operation = make(builder, DNN_OPERATION_SDPA);
  set(builder, operation, DNN_OPERATION_SDPA_Q, DNN_TYPE_OBJECT, 1, &q);
  set(builder, operation, DNN_OPERATION_SDPA_K, DNN_TYPE_OBJECT, 1, &k);
  set(builder, operation, DNN_OPERATION_SDPA_V, DNN_TYPE_OBJECT, 1, &v);
  set(builder, operation, DNN_OPERATION_SDPA_O, DNN_TYPE_OBJECT, 1, &o);
  set(builder, operation, DNN_OPERATION_SDPA_SCALE, DNN_TYPE_OBJECT, 1, &scale);
  finalize(builder, operation, "the operation of an attention");
  return operation;
}

static genie_status_t check_attention(const int64_t *dims) {
  for (int i = 0; i < GENIE_LIBRARY_SDPA_TYPE; ++i) {
    if (dims[i] < (i == GENIE_LIBRARY_SDPA_B || i == GENIE_LIBRARY_SDPA_L ? 0 : 1)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "dim %d is %lld", i, (long long)dims[i]);
    }
  }
  if (dims[GENIE_LIBRARY_SDPA_IS_CAUSAL] != 0) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "cuDNN's attention in one operation has no causal mask");
  }
  return GENIE_OK;
}

genie_status_t genie_cuda_dnn_sdpa_create(genie_cuda_device_t *device, void *library,
                                          const genie_device_launch_t *launch, void **out_plan) {
  void *memory = NULL;
  int type = 0;
  double scale = 0;
  GENIE_RETURN_IF_ERROR(check_attention(launch->dims));
  GENIE_RETURN_IF_ERROR(type_of(launch->dims[GENIE_LIBRARY_SDPA_TYPE], &type));
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(device->base.allocator, 1, sizeof(dnn_plan_t), &memory));
  dnn_builder_t builder = {.dnn = library, .plan = memory, .next_id = kFirstVirtualId};
  memcpy(&scale, &launch->dims[GENIE_LIBRARY_SDPA_SCALE_BITS], sizeof(scale));
  builder.plan->has_scale = true;
  builder.plan->scale = (float)scale;
  if (launch->dims[GENIE_LIBRARY_SDPA_B] > 0 && launch->dims[GENIE_LIBRARY_SDPA_L] > 0) {
    dnn_object_t operation = make_attention(&builder, launch->dims, type);
    choose(&builder, &operation, 1, false);
  }
  if (builder.status != GENIE_OK) {
    genie_cuda_dnn_plan_destroy(device, library, builder.plan);
    return builder.status;
  }
  *out_plan = builder.plan;
  return GENIE_OK;
}

// ---- Calls ----

static genie_status_t execute(const dnn_t *dnn, dnn_plan_t *plan, const genie_device_launch_t *launch,
                              void *workspace) {
  int64_t ids[8];
  void *pointers[8];
  int64_t count = 0;
  dnn_object_t pack = NULL;
  for (; count < launch->arg_count; ++count) {
    ids[count] = count;
    pointers[count] = launch->args[count];
  }
  if (plan->has_scale) {
    ids[count] = kScaleId;
    pointers[count++] = &plan->scale;
  }
  GENIE_RETURN_IF_ERROR(check(dnn->object_create(DNN_PACK, &pack), "a list of tensors"));
  dnn_status_t status = dnn->object_set(pack, DNN_PACK_IDS, DNN_TYPE_I64, count, ids);
  if (status == 0) {
    status = dnn->object_set(pack, DNN_PACK_POINTERS, DNN_TYPE_POINTER, count, pointers);
  }
  if (status == 0) {
    status = dnn->object_set(pack, DNN_PACK_WORKSPACE, DNN_TYPE_POINTER, 1, &workspace);
  }
  if (status == 0) {
    status = dnn->object_finalize(pack);
  }
  if (status == 0) {
    status = dnn->execute(dnn->handle, plan->plan, pack);
  }
  (void)dnn->object_destroy(pack);
  return check(status, "a call");
}

genie_status_t genie_cuda_dnn_plan_run(genie_cuda_device_t *device, void *library, genie_cuda_stream_t *stream,
                                       void *opaque, const genie_device_launch_t *launch) {
  const dnn_t *dnn = library;
  dnn_plan_t *plan = opaque;
  void *workspace = NULL;
  if (plan->plan == NULL) {
    return GENIE_OK;
  }
  if (plan->workspace_bytes > 0) {
    GENIE_RETURN_IF_ERROR(genie_cuda_library_workspace(device, stream, &workspace));
  }
  GENIE_RETURN_IF_ERROR(check(dnn->set_stream(dnn->handle, stream->stream), "choosing a stream"));
  return execute(dnn, plan, launch, workspace);
}

void genie_cuda_dnn_plan_destroy(genie_cuda_device_t *device, void *library, void *opaque) {
  const dnn_t *dnn = library;
  dnn_plan_t *plan = opaque;
  while (plan->object_count > 0) {
    (void)dnn->object_destroy(plan->objects[--plan->object_count]);
  }
  genie_allocator_free(device->base.allocator, plan);
}
