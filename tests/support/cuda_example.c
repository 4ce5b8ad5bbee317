#include "tests/support/cuda_example.h"

#include <string.h>

#include "runtime/plan/cuda_image.h"

// A kernel with `bytes` of parameters whose first thread runs `body`, with the block in %rd1 and its offsets of 8 and 4
// byte elements in %rd2 and %rd3.
#define KERNEL(name, bytes, body)                          \
  ".visible .entry " name "(.param .align 8 .b8 p[" #bytes \
  "]) {\n"                                                 \
  "  .reg .b64 %rd<20>;\n"                                 \
  "  .reg .b32 %r<4>;\n"                                   \
  "  .reg .f32 %f<4>;\n"                                   \
  "  .reg .pred %q<4>;\n"                                  \
  "  mov.u32 %r1, %tid.x;\n"                               \
  "  setp.ne.u32 %q1, %r1, 0;\n"                           \
  "  @%q1 bra DONE;\n"                                     \
  "  mov.u32 %r2, %ctaid.x;\n"                             \
  "  cvt.u64.u32 %rd1, %r2;\n"                             \
  "  shl.b64 %rd2, %rd1, 3;\n"                             \
  "  shl.b64 %rd3, %rd1, 2;\n" body                        \
  "DONE:\n"                                                \
  "  ret;\n"                                               \
  "}\n"

static const char *const kHead = ".version 7.0\n.target sm_70\n.address_size 64\n";

static const struct {
  const char *symbol;
  const char *ptx;
} kKernels[GENIE_CUDA_EXAMPLE_KERNEL_COUNT] = {
    [GENIE_CUDA_EXAMPLE_FILL] = {"fill", KERNEL("fill", 16,
                                                "  ld.param.u64 %rd4, [p];\n"
                                                "  ld.param.u64 %rd5, [p+8];\n"
                                                "  add.u64 %rd4, %rd4, %rd2;\n"
                                                "  add.u64 %rd5, %rd5, %rd1;\n"
                                                "  st.u64 [%rd4], %rd5;\n")},
    [GENIE_CUDA_EXAMPLE_COUNT] = {"count", KERNEL("count", 16,
                                                  "  ld.param.u64 %rd4, [p];\n"
                                                  "  add.u64 %rd4, %rd4, %rd2;\n"
                                                  "  ld.u64 %rd5, [%rd4];\n"
                                                  "  add.u64 %rd5, %rd5, 1;\n"
                                                  "  st.u64 [%rd4], %rd5;\n")},
    [GENIE_CUDA_EXAMPLE_FAULT] = {"fault", KERNEL("fault", 16,
                                                  "  mov.u64 %rd6, 64;\n"
                                                  "  st.global.u64 [%rd6], %rd6;\n")},
    [GENIE_CUDA_EXAMPLE_ADD] = {"add", KERNEL("add", 24,
                                              "  ld.param.u64 %rd4, [p];\n"
                                              "  ld.param.u64 %rd5, [p+8];\n"
                                              "  ld.param.u64 %rd6, [p+16];\n"
                                              "  add.u64 %rd4, %rd4, %rd3;\n"
                                              "  add.u64 %rd5, %rd5, %rd3;\n"
                                              "  add.u64 %rd6, %rd6, %rd3;\n"
                                              "  ld.f32 %f1, [%rd4];\n"
                                              "  ld.f32 %f2, [%rd5];\n"
                                              "  add.f32 %f1, %f1, %f2;\n"
                                              "  st.f32 [%rd6], %f1;\n")},
    [GENIE_CUDA_EXAMPLE_DOUBLE_ROWS] = {"double_rows", KERNEL("double_rows", 24,
                                                              "  ld.param.u64 %rd4, [p];\n"
                                                              "  ld.param.u64 %rd5, [p+8];\n"
                                                              "  ld.param.u64 %rd6, [p+16];\n"
                                                              "  mul.lo.u64 %rd7, %rd6, %rd3;\n"
                                                              "  add.u64 %rd4, %rd4, %rd7;\n"
                                                              "  add.u64 %rd5, %rd5, %rd7;\n"
                                                              "LOOP:\n"
                                                              "  setp.eq.u64 %q2, %rd6, 0;\n"
                                                              "  @%q2 bra DONE;\n"
                                                              "  ld.f32 %f1, [%rd4];\n"
                                                              "  add.f32 %f1, %f1, %f1;\n"
                                                              "  st.f32 [%rd5], %f1;\n"
                                                              "  add.u64 %rd4, %rd4, 4;\n"
                                                              "  add.u64 %rd5, %rd5, 4;\n"
                                                              "  sub.u64 %rd6, %rd6, 1;\n"
                                                              "  bra LOOP;\n")},
};

// All kernels, or `ptx`; in memory of the heap.
static genie_status_t make_text(const char *ptx, char **out_text) {
  size_t bytes = strlen(ptx == NULL ? kHead : ptx) + 1;
  for (size_t i = 0; ptx == NULL && i < GENIE_CUDA_EXAMPLE_KERNEL_COUNT; ++i) {
    bytes += strlen(kKernels[i].ptx);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), bytes, 1, &memory));
  char *text = memory;
  strcpy(text, ptx == NULL ? kHead : ptx);
  for (size_t i = 0; ptx == NULL && i < GENIE_CUDA_EXAMPLE_KERNEL_COUNT; ++i) {
    strcat(text, kKernels[i].ptx);
  }
  *out_text = text;
  return GENIE_OK;
}

static genie_status_t fill_code(const char *text, const genie_cuda_example_kernel_t *kernels, uint32_t kernel_count,
                                genie_cuda_example_t *out_example) {
  const uint64_t records_bytes = kernel_count * sizeof(genie_cuda_kernel_record_t);
  const genie_cuda_image_header_t header = {.magic = {'G', 'C', 'U', 'D', 'A', 'I', 'M', 'G'},
                                            .version = GENIE_CUDA_IMAGE_VERSION,
                                            .kernel_count = kernel_count,
                                            .ptx_offset = sizeof(header) + records_bytes,
                                            .ptx_bytes = strlen(text) + 1};
  out_example->code_bytes = header.ptx_offset + header.ptx_bytes;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(genie_allocator_heap(), out_example->code_bytes, 1, &out_example->code));
  uint8_t *code = out_example->code;
  memcpy(code, &header, sizeof(header));
  memcpy(code + header.ptx_offset, text, header.ptx_bytes);
  for (size_t i = 0; i < kernel_count; ++i) {
    genie_cuda_kernel_record_t record = {.threads_per_block = 32};
    strncpy(record.symbol, kKernels[kernels[i]].symbol, sizeof(record.symbol) - 1);
    out_example->offsets[i] = sizeof(header) + i * sizeof(record);
    memcpy(code + out_example->offsets[i], &record, sizeof(record));
  }
  return GENIE_OK;
}

genie_status_t genie_cuda_example_make(const char *ptx, const genie_cuda_example_kernel_t *kernels,
                                       uint32_t kernel_count, genie_cuda_example_t *out_example) {
  char *text = NULL;
  GENIE_RETURN_IF_ERROR(make_text(ptx, &text));
  const genie_status_t status = fill_code(text, kernels, kernel_count, out_example);
  genie_allocator_free(genie_allocator_heap(), text);
  return status;
}
