#include "tests/support/cuda_example.h"

#include <string.h>

#include "runtime/plan/cuda_image.h"

// A kernel whose first thread runs `body` with the argument in %rd1, the dim in %rd2 and the block in %rd3, and %rd1
// moved to the block's element in %rd4.
#define KERNEL(name, body)             \
  ".visible .entry " name              \
  "(.param .align 8 .b8 p[16]) {\n"    \
  "  .reg .b64 %rd<9>;\n"              \
  "  .reg .b32 %r<4>;\n"               \
  "  .reg .pred %first;\n"             \
  "  mov.u32 %r1, %tid.x;\n"           \
  "  setp.ne.u32 %first, %r1, 0;\n"    \
  "  @%first bra DONE;\n"              \
  "  ld.param.u64 %rd1, [p];\n"        \
  "  ld.param.u64 %rd2, [p+8];\n"      \
  "  mov.u32 %r2, %ctaid.x;\n"         \
  "  cvt.u64.u32 %rd3, %r2;\n"         \
  "  shl.b64 %rd4, %rd3, 3;\n"         \
  "  add.u64 %rd4, %rd1, %rd4;\n" body \
  "DONE:\n"                            \
  "  ret;\n"                           \
  "}\n"

static const char kPtx[] = ".version 7.0\n.target sm_70\n.address_size 64\n" KERNEL("fill",
                                                                                    "  add.u64 %rd5, %rd2, %rd3;\n"
                                                                                    "  st.u64 [%rd4], %rd5;\n")
    KERNEL("count",
           "  ld.u64 %rd5, [%rd4];\n"
           "  add.u64 %rd5, %rd5, 1;\n"
           "  st.u64 [%rd4], %rd5;\n") KERNEL("fault",
                                              "  mov.u64 %rd6, 64;\n"
                                              "  st.global.u64 [%rd6], %rd6;\n");

static const char *const kSymbols[GENIE_CUDA_EXAMPLE_KERNEL_COUNT] = {"fill", "count", "fault"};

genie_status_t genie_cuda_example_make(const char *ptx, genie_cuda_example_t *out_example) {
  const char *text = ptx == NULL ? kPtx : ptx;
  const uint64_t records_bytes = GENIE_CUDA_EXAMPLE_KERNEL_COUNT * sizeof(genie_cuda_kernel_record_t);
  const genie_cuda_image_header_t header = {.magic = {'G', 'C', 'U', 'D', 'A', 'I', 'M', 'G'},
                                            .version = GENIE_CUDA_IMAGE_VERSION,
                                            .kernel_count = GENIE_CUDA_EXAMPLE_KERNEL_COUNT,
                                            .ptx_offset = sizeof(header) + records_bytes,
                                            .ptx_bytes = strlen(text) + 1};
  out_example->code_bytes = header.ptx_offset + header.ptx_bytes;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(genie_allocator_heap(), out_example->code_bytes, 1, &out_example->code));
  uint8_t *code = out_example->code;
  memcpy(code, &header, sizeof(header));
  memcpy(code + header.ptx_offset, text, header.ptx_bytes);
  for (size_t i = 0; i < GENIE_CUDA_EXAMPLE_KERNEL_COUNT; ++i) {
    genie_cuda_kernel_record_t record = {.threads_per_block = 32};
    strncpy(record.symbol, kSymbols[i], sizeof(record.symbol) - 1);
    out_example->offsets[i] = sizeof(header) + i * sizeof(record);
    memcpy(code + out_example->offsets[i], &record, sizeof(record));
  }
  return GENIE_OK;
}
