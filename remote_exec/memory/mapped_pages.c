// Pages from mmap: plain ones, and reserved huge ones through a memfd, which needs no mounted hugetlbfs.
#include <errno.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "remote_exec/memory/page_source.h"
#include "runtime/base/checked_math.h"

static const uint64_t kPageBytes = 4096;
static const uint64_t kHugePageBytes = 2 * 1024 * 1024;

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static genie_status_t no_memory(uint64_t size_bytes, const char *what) {
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no %llu bytes of %s: %s",
                           (unsigned long long)size_bytes, what, strerror(errno));
}

// The first touch of a page costs more than anything that is sent through it later.
static genie_status_t touch(uint8_t *address, uint64_t size_bytes) {
  if (madvise(address, size_bytes, MADV_POPULATE_WRITE) == 0) {
    return GENIE_OK;
  }
  if (errno != EINVAL) {
    return no_memory(size_bytes, "memory");
  }
  for (uint64_t offset = 0; offset < size_bytes; offset += kPageBytes) {
    *(volatile uint8_t *)(address + offset) = 0;
  }
  return GENIE_OK;
}

static genie_status_t take_plain(uint64_t size_bytes, genie_pages_t *out_pages) {
  uint64_t mapped_bytes = 0;
  if (!genie_checked_align_u64(size_bytes, kPageBytes, &mapped_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory has so many bytes");
  }
  void *mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return no_memory(mapped_bytes, "memory");
  }
  (void)madvise(mapped, mapped_bytes, MADV_HUGEPAGE);
  const genie_status_t status = touch(mapped, mapped_bytes);
  if (status != GENIE_OK) {
    munmap(mapped, mapped_bytes);
    return status;
  }
  *out_pages = (genie_pages_t){.address = mapped, .size_bytes = mapped_bytes, .page_bytes = kPageBytes};
  return GENIE_OK;
}

// The mapping reserves its pages: it fails here rather than at a later touch.
static genie_status_t take_hugepages(uint64_t size_bytes, genie_pages_t *out_pages) {
  uint64_t mapped_bytes = 0;
  if (!genie_checked_align_u64(size_bytes, kHugePageBytes, &mapped_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "no memory has so many bytes");
  }
  const int file = memfd_create("genie-network", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
  if (file < 0) {
    return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "this kernel has no huge pages of 2 MiB: %s",
                             strerror(errno));
  }
  void *mapped = MAP_FAILED;
  if (ftruncate(file, (off_t)mapped_bytes) == 0) {
    mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  }
  const genie_status_t status = mapped == MAP_FAILED ? no_memory(mapped_bytes, "huge pages") : GENIE_OK;
  close(file);
  if (status == GENIE_OK) {
    *out_pages = (genie_pages_t){.address = mapped, .size_bytes = mapped_bytes, .page_bytes = kHugePageBytes};
  }
  return status;
}

static void unmap(const genie_pages_t *pages) {
  munmap(pages->address, pages->size_bytes);
}

const genie_page_source_t genie_page_source_plain = {.take = take_plain, .give_back = unmap};
const genie_page_source_t genie_page_source_hugepage = {.take = take_hugepages, .give_back = unmap};
