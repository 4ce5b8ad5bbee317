#include "codegen/kernel/cuda_code.h"

#include <string.h>

static genie_cuda_kernel_record_t make_record(const genie_cuda_code_kernel_t *kernel) {
  genie_cuda_kernel_record_t record = {
      .threads_per_block = (uint32_t)kernel->threads,
      .dynamic_shared_bytes = kernel->shared_bytes,
      .flags = kernel->is_programmatic ? GENIE_CUDA_KERNEL_PROGRAMMATIC_LAUNCH : 0,
  };
  memcpy(record.symbol, kernel->symbol, sizeof(record.symbol));
  return record;
}

genie_status_t genie_cuda_code_build(const char *ptx, size_t ptx_length, int kernel_count,
                                     const genie_cuda_code_kernel_t *const *kernels, genie_arena_t *arena,
                                     genie_code_target_t *out_target) {
  genie_cuda_image_header_t header = {.magic = {0}, .version = GENIE_CUDA_IMAGE_VERSION};
  memcpy(header.magic, GENIE_CUDA_IMAGE_MAGIC, sizeof(header.magic));
  for (int i = 0; i < kernel_count; ++i) {
    header.kernel_count += kernels[i] != NULL;
  }
  header.ptx_offset = sizeof(header) + header.kernel_count * sizeof(genie_cuda_kernel_record_t);
  header.ptx_bytes = ptx_length + 1;
  void *bytes = NULL, *offsets = NULL;
  const size_t size = header.ptx_offset + header.ptx_bytes;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size + 7) / 8, 8, &bytes));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)kernel_count + 1, sizeof(uint64_t), &offsets));
  memcpy(bytes, &header, sizeof(header));
  uint64_t next = sizeof(header);
  for (int i = 0; i < kernel_count; ++i) {
    ((uint64_t *)offsets)[i] = GENIE_PLAN_NO_CODE;
    if (kernels[i] != NULL) {
      const genie_cuda_kernel_record_t record = make_record(kernels[i]);
      memcpy((uint8_t *)bytes + next, &record, sizeof(record));
      ((uint64_t *)offsets)[i] = next;
      next += sizeof(record);
    }
  }
  memcpy((uint8_t *)bytes + header.ptx_offset, ptx, ptx_length);
  ((uint8_t *)bytes)[size - 1] = 0;
  out_target->code = bytes;
  out_target->code_bytes = size;
  out_target->offsets = offsets;
  return genie_status_annotate(genie_cuda_image_check(bytes, size, offsets, (uint32_t)kernel_count), "%s",
                               out_target->name);
}
