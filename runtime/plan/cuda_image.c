#include "runtime/plan/cuda_image.h"

#include <string.h>

#include "runtime/plan/format.h"

#define FAIL(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

static bool is_inside(uint64_t offset, uint64_t size, uint64_t total) {
  return offset <= total && size <= total - offset;
}

static bool is_identifier(const char *text, size_t capacity) {
  const size_t length = strnlen(text, capacity);
  if (length == 0 || length == capacity) {
    return false;
  }
  for (size_t i = 0; i < length; ++i) {
    const char c = text[i];
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
      return false;
    }
  }
  return true;
}

static genie_status_t check_header(const uint8_t *bytes, uint64_t byte_count) {
  if (byte_count < sizeof(genie_cuda_image_header_t)) {
    return FAIL("cuda image: %llu bytes are no header", (unsigned long long)byte_count);
  }
  const genie_cuda_image_header_t *header = genie_cuda_image_header(bytes);
  if (memcmp(header->magic, GENIE_CUDA_IMAGE_MAGIC, sizeof(header->magic)) != 0) {
    return FAIL("cuda image: the magic is not " GENIE_CUDA_IMAGE_MAGIC);
  }
  if (header->version != GENIE_CUDA_IMAGE_VERSION) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "cuda image: version %u; this Genie reads %u", header->version,
                             GENIE_CUDA_IMAGE_VERSION);
  }
  if (!is_inside(header->ptx_offset, header->ptx_bytes, byte_count) || header->ptx_bytes == 0 ||
      header->ptx_bytes > GENIE_CUDA_MAX_PTX_BYTES ||
      !is_inside(header->cubin_offset, header->cubin_bytes, byte_count) ||
      (header->cubin_bytes == 0 && header->cubin_offset != 0)) {
    return FAIL("cuda image: PTX %llu + %llu or cubin %llu + %llu is outside its %llu bytes",
                (unsigned long long)header->ptx_offset, (unsigned long long)header->ptx_bytes,
                (unsigned long long)header->cubin_offset, (unsigned long long)header->cubin_bytes,
                (unsigned long long)byte_count);
  }
  if (strnlen(genie_cuda_image_ptx(bytes), header->ptx_bytes) != header->ptx_bytes - 1) {
    return FAIL("cuda image: the PTX is not one zero-terminated text");
  }
  return GENIE_OK;
}

static genie_status_t check_kernel(const uint8_t *bytes, uint64_t byte_count, uint64_t offset, uint32_t kernel) {
  if (offset % 8 != 0 || offset < sizeof(genie_cuda_image_header_t) ||
      !is_inside(offset, sizeof(genie_cuda_kernel_record_t), byte_count)) {
    return FAIL("cuda image: the record of kernel %u at %llu is outside its %llu bytes", kernel,
                (unsigned long long)offset, (unsigned long long)byte_count);
  }
  const genie_cuda_kernel_record_t *record = genie_cuda_image_kernel(bytes, offset);
  if (!is_identifier(record->symbol, sizeof(record->symbol))) {
    return FAIL("cuda image: the symbol of kernel %u is no identifier", kernel);
  }
  if (record->threads_per_block == 0 || record->threads_per_block > GENIE_CUDA_MAX_THREADS ||
      record->dynamic_shared_bytes > GENIE_CUDA_MAX_SHARED_BYTES) {
    return FAIL("cuda image: kernel %u has %u threads a block and %u bytes of shared memory", kernel,
                record->threads_per_block, record->dynamic_shared_bytes);
  }
  if ((record->flags & ~(uint32_t)GENIE_CUDA_KERNEL_ALL_FLAGS) != 0 || record->reserved != 0) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "cuda image: kernel %u has flags 0x%x", kernel, record->flags);
  }
  return GENIE_OK;
}

genie_status_t genie_cuda_image_check(const uint8_t *bytes, uint64_t byte_count, const uint64_t *offsets,
                                      uint32_t kernel_count) {
  GENIE_RETURN_IF_ERROR(check_header(bytes, byte_count));
  uint32_t count = 0;
  for (uint32_t i = 0; i < kernel_count; ++i) {
    if (offsets[i] != GENIE_PLAN_NO_CODE) {
      GENIE_RETURN_IF_ERROR(check_kernel(bytes, byte_count, offsets[i], i));
      ++count;
    }
  }
  return count == genie_cuda_image_header(bytes)->kernel_count
             ? GENIE_OK
             : FAIL("cuda image: %u kernels, of which the target has %u", genie_cuda_image_header(bytes)->kernel_count,
                    count);
}
