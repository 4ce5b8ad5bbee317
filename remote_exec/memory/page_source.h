// Where network memory takes its pages: one table row a kind.
#ifndef GENIE_REMOTE_EXEC_MEMORY_PAGE_SOURCE_H_
#define GENIE_REMOTE_EXEC_MEMORY_PAGE_SOURCE_H_

#include "remote_exec/memory/network_memory.h"

// Touched pages.
typedef struct genie_pages {
  void *address;
  uint64_t size_bytes;
  uint64_t page_bytes;
  const void *origin;  // of a source that needs more than the address
} genie_pages_t;

// `size_bytes` is rounded up to whole pages. FAILED_PRECONDITION or RESOURCE_EXHAUSTED: this kind cannot be had now;
// UNIMPLEMENTED: not in this build.
typedef struct genie_page_source {
  genie_status_t (*take)(uint64_t size_bytes, genie_pages_t *out_pages);
  void (*give_back)(const genie_pages_t *pages);
} genie_page_source_t;

extern const genie_page_source_t genie_page_source_plain;
extern const genie_page_source_t genie_page_source_hugepage;
extern const genie_page_source_t genie_page_source_dpdk;

#endif  // GENIE_REMOTE_EXEC_MEMORY_PAGE_SOURCE_H_
