// The part of the CUDA driver's binary interface that this device uses, declared here so that Genie builds without a
// CUDA toolkit. Names and values are those of cuda.h 13.0 (package nvidia-cuda-runtime); they have been the same since
// CUDA 12.0, the oldest driver that this device takes, and the driver promises them to old programs for ever. Handles
// are pointers to nothing that we look into.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_CUDA_ABI_H_
#define GENIE_RUNTIME_DEVICE_CUDA_CUDA_ABI_H_

#include <stddef.h>
#include <stdint.h>

typedef int cu_result_t;               // CUresult
typedef int cu_device_t;               // CUdevice
typedef unsigned long long cu_ptr_t;   // CUdeviceptr_v2
typedef unsigned long long cu_pool_t;  // CUmemGenericAllocationHandle
typedef struct CUctx_st *cu_context_t;
typedef struct CUmod_st *cu_module_t;
typedef struct CUfunc_st *cu_function_t;
typedef struct CUstream_st *cu_stream_t;
typedef struct CUevent_st *cu_event_t;
typedef struct CUgraph_st *cu_graph_t;
typedef struct CUgraphExec_st *cu_graph_exec_t;
typedef struct CUgraphNode_st *cu_graph_node_t;
typedef struct CUlinkState_st *cu_link_t;

// CUresult: those that are told apart.
enum {
  CU_SUCCESS = 0,
  CU_ERROR_INVALID_VALUE = 1,
  CU_ERROR_OUT_OF_MEMORY = 2,
  CU_ERROR_DEVICE_UNAVAILABLE = 46,
  CU_ERROR_NO_DEVICE = 100,
  CU_ERROR_INVALID_IMAGE = 200,
  CU_ERROR_NO_BINARY_FOR_GPU = 209,
  CU_ERROR_ECC_UNCORRECTABLE = 214,
  CU_ERROR_INVALID_PTX = 218,
  CU_ERROR_NVLINK_UNCORRECTABLE = 220,
  CU_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CU_ERROR_CONTAINED = 226,
  CU_ERROR_NOT_FOUND = 500,
  CU_ERROR_ILLEGAL_ADDRESS = 700,
  CU_ERROR_LAUNCH_TIMEOUT = 702,
  CU_ERROR_CONTEXT_IS_DESTROYED = 709,
  CU_ERROR_ASSERT = 710,
  CU_ERROR_HOST_MEMORY_ALREADY_REGISTERED = 712,
  CU_ERROR_HARDWARE_STACK = 714,
  CU_ERROR_ILLEGAL_INSTRUCTION = 715,
  CU_ERROR_MISALIGNED_ADDRESS = 716,
  CU_ERROR_INVALID_ADDRESS_SPACE = 717,
  CU_ERROR_INVALID_PC = 718,
  CU_ERROR_LAUNCH_FAILED = 719,
  CU_ERROR_EXTERNAL_DEVICE = 911,
};

// CUdevice_attribute
enum {
  CU_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_ATTRIBUTE_MAX_SHARED_BYTES_OPTIN = 97,
  CU_ATTRIBUTE_POSIX_FILE_HANDLES = 103,
};

enum {
  CU_MEM_HANDLE_POSIX_FILE = 1,    // CUmemAllocationHandleType
  CU_MEM_ALLOCATION_PINNED = 1,    // CUmemAllocationType
  CU_MEM_LOCATION_DEVICE = 1,      // CUmemLocationType
  CU_MEM_ACCESS_READ_WRITE = 3,    // CUmemAccess_flags
  CU_MEM_GRANULARITY_MINIMUM = 0,  // CUmemAllocationGranularity_flags
  CU_MEM_HOST_REGISTER_PORTABLE = 1,
  CU_STREAM_DETACHED = 1,  // CU_STREAM_NON_BLOCKING
  CU_EVENT_RECORD_EXTERNAL = 1,
  CU_CAPTURE_RELAXED = 2,              // CUstreamCaptureMode
  CU_FUNCTION_MAX_DYNAMIC_SHARED = 8,  // CUfunction_attribute
  CU_JIT_INFO_LOG = 3,                 // CUjit_option
  CU_JIT_INFO_LOG_BYTES = 4,
  CU_JIT_ERROR_LOG = 5,
  CU_JIT_ERROR_LOG_BYTES = 6,
  CU_JIT_PTX = 1,                        // CUjitInputType
  CU_EDGE_PROGRAMMATIC = 1,              // CUgraphDependencyType
  CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC = 6,  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
};

// Of the `extra` of a launch: the parameters as one block of bytes.
#define CU_LAUNCH_BUFFER_POINTER ((void *)0x01)
#define CU_LAUNCH_BUFFER_SIZE ((void *)0x02)
#define CU_LAUNCH_END ((void *)0x00)

typedef struct cu_location {  // CUmemLocation
  int type;
  int id;
} cu_location_t;

typedef struct cu_allocation {  // CUmemAllocationProp
  int type;
  int handle_types;
  cu_location_t location;
  void *win32;
  uint8_t compression;
  uint8_t is_rdma_capable;
  uint16_t usage;
  uint8_t reserved[4];
} cu_allocation_t;

typedef struct cu_access {  // CUmemAccessDesc
  cu_location_t location;
  int flags;
} cu_access_t;

typedef struct cu_edge {  // CUgraphEdgeData
  unsigned char from_port, to_port;
  unsigned char type;
  unsigned char reserved[5];
} cu_edge_t;

typedef struct cu_launch_attribute {  // CUlaunchAttribute
  int id;
  int pad;
  union {
    int is_programmatic;  // programmaticStreamSerializationAllowed
    char bytes[64];
  } value;
} cu_launch_attribute_t;

typedef struct cu_launch {  // CUlaunchConfig
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  cu_stream_t stream;
  cu_launch_attribute_t *attributes;
  unsigned attribute_count;
} cu_launch_t;

_Static_assert(sizeof(cu_allocation_t) == 32, "CUmemAllocationProp");
_Static_assert(sizeof(cu_access_t) == 12, "CUmemAccessDesc");
_Static_assert(sizeof(cu_edge_t) == 8, "CUgraphEdgeData");
_Static_assert(sizeof(cu_launch_attribute_t) == 72, "CUlaunchAttribute");
_Static_assert(sizeof(cu_launch_t) == 56, "CUlaunchConfig");

#endif  // GENIE_RUNTIME_DEVICE_CUDA_CUDA_ABI_H_
