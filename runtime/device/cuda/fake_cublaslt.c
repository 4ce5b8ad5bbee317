#include "runtime/device/cuda/fake_cublaslt.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

#define FAKE(name, ...)         \
  EXPORT int name(__VA_ARGS__); \
  EXPORT int name(__VA_ARGS__)

EXPORT fake_cublaslt_state_t fake_cublaslt_state;

static int create(void **out_object) {
  *out_object = malloc(1);
  ++fake_cublaslt_state.objects;
  return 0;
}

static int destroy(void *object) {
  free(object);
  --fake_cublaslt_state.objects;
  return 0;
}

// An attribute takes any value.
static int set(const void *object, int attribute, const void *value, size_t bytes) {
  (void)object;
  (void)attribute;
  (void)value;
  (void)bytes;
  return 0;
}

FAKE(cublasLtCreate, void **handle) {
  return create(handle);
}

FAKE(cublasLtDestroy, void *handle) {
  return destroy(handle);
}

FAKE(cublasLtMatmulDescCreate, void **matmul, int compute, int scale) {
  (void)compute;
  (void)scale;
  return create(matmul);
}

FAKE(cublasLtMatmulDescSetAttribute, void *matmul, int attribute, const void *value, size_t bytes) {
  return set(matmul, attribute, value, bytes);
}

FAKE(cublasLtMatmulDescDestroy, void *matmul) {
  return destroy(matmul);
}

FAKE(cublasLtMatrixLayoutCreate, void **layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  (void)type;
  (void)rows;
  (void)columns;
  (void)stride;
  return create(layout);
}

FAKE(cublasLtMatrixLayoutSetAttribute, void *layout, int attribute, const void *value, size_t bytes) {
  return set(layout, attribute, value, bytes);
}

FAKE(cublasLtMatrixLayoutDestroy, void *layout) {
  return destroy(layout);
}

FAKE(cublasLtMatmulPreferenceCreate, void **preference) {
  return create(preference);
}

FAKE(cublasLtMatmulPreferenceSetAttribute, void *preference, int attribute, const void *value, size_t bytes) {
  return set(preference, attribute, value, bytes);
}

FAKE(cublasLtMatmulPreferenceDestroy, void *preference) {
  return destroy(preference);
}

// The caller's choice is zeroed memory: an algorithm that needs no workspace.
FAKE(cublasLtMatmulAlgoGetHeuristic, void *handle, void *matmul, void *a, void *b, void *c, void *d, void *preference,
     int most, void *choices, int *count) {
  (void)handle;
  (void)matmul;
  (void)a;
  (void)b;
  (void)c;
  (void)d;
  (void)preference;
  (void)most;
  (void)choices;
  *count = 1;
  return 0;
}

FAKE(cublasLtMatmul, void *handle, void *matmul, const void *alpha, const void *a, void *a_layout, const void *b,
     void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout, const void *algorithm,
     void *workspace, size_t workspace_bytes, void *stream) {
  (void)handle;
  (void)matmul;
  (void)alpha;
  (void)a;
  (void)a_layout;
  (void)b;
  (void)b_layout;
  (void)beta;
  (void)c;
  (void)c_layout;
  (void)d;
  (void)d_layout;
  (void)algorithm;
  (void)workspace;
  (void)workspace_bytes;
  (void)stream;
  if (fake_cublaslt_state.on_matmul != NULL) {
    fake_cublaslt_state.on_matmul();
  }
  return 0;
}
