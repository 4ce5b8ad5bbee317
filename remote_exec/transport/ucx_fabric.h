// Inside of the ucx carrier: the loaded library, the context and its memory.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_FABRIC_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_FABRIC_H_

#include <ucp/api/ucp.h>

#include "remote_exec/transport/ucx.h"

enum { GENIE_UCX_MAX_REGIONS = 64, GENIE_UCX_HOST_BYTES = 32 };

typedef struct genie_ucx_region {
  const uint8_t *address;
  uint64_t bytes;
  genie_ucx_memory_t kind;
  ucp_mem_h handle;
} genie_ucx_region_t;

struct genie_ucx_fabric {
  genie_allocator_t allocator;
  void *libraries[4];  // of dlopen, in the order of loading
  struct {
#define GENIE_UCX_FUNCTION(name) __typeof__(&name) name;
#include "remote_exec/transport/ucx_function.def"
  } call;
  ucp_context_h context;
  genie_ucx_region_t regions[GENIE_UCX_MAX_REGIONS];
  size_t region_count;
  uint64_t spin_ns;
  bool has_integrity;
  char transports[128];                // as configured, for messages
  uint8_t host[GENIE_UCX_HOST_BYTES];  // equal for processes that can share memory, else not
  char version[16];
};

// The region that holds all `bytes` at `address`, or NULL.
const genie_ucx_region_t *genie_ucx_fabric_find(const genie_ucx_fabric_t *fabric, const void *address, uint64_t bytes);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_FABRIC_H_
