// A driver for tests without a GPU: a shared library with libcuda's functions over host memory. It runs the kernels of
// tests/support/cuda_example.h, keeps graphs, counts what is alive, and fails when it is told to. One thread at a time.
//
// Of a process that a test cannot reach into, the context ends with a fault when a file `fault` appears beside the
// library, which then goes.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUDA_H_
#define GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUDA_H_

#include "runtime/device/cuda/cuda_abi.h"

// What a test sets and reads; the library exports it as `fake_cuda_state`.
typedef struct fake_cuda_state {
  // ---- Set by the test ----
  int device_count;
  int architecture;          // of all devices
  int version;               // of the driver
  size_t free_bytes;         // of device memory
  const char *failing_call;  // the next call of this function answers `failing_result`, once; NULL: none
  cu_result_t failing_result;
  int early_edges, whole_edges;  // of every graph: those that let a kernel start early, and those that do not
  // ---- Read by the test ----
  int contexts, allocations, mappings, streams, events, modules, graphs, registrations;  // alive
  int context_depth;                                                                     // pushes without pops
  int compile_count;                                                                     // PTX that was compiled
  int launch_count;                                                                      // kernels that ran
  int programmatic_count;  // of those, launched with the attribute
  int graph_launch_count;
  int copy_kernel_count;  // copies that a kernel of the device made
  size_t last_parameter_bytes;
} fake_cuda_state_t;

#endif  // GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUDA_H_
