// A cuBLASLt for tests without a GPU: a shared library under its name that has an algorithm for every product and
// multiplies nothing. It tells the test when it would enqueue a kernel.
#ifndef GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUBLASLT_H_
#define GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUBLASLT_H_

// What a test sets and reads; the library exports it as `fake_cublaslt_state`.
typedef struct fake_cublaslt_state {
  void (*on_matmul)(void);  // called by each product; NULL: nobody
  int objects;              // alive: handles, descriptors, layouts and preferences
} fake_cublaslt_state_t;

#endif  // GENIE_RUNTIME_DEVICE_CUDA_FAKE_CUBLASLT_H_
