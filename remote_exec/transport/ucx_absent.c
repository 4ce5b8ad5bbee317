// The ucx carrier where the build found no headers of UCX.
#include "remote_exec/transport/ucx.h"

static genie_status_t absent(void) {
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "this build has no ucx carrier: it found no headers of UCX 1.22 (libucx-cu13, or "
                           "-DGENIE_UCX_ROOT)");
}

genie_status_t genie_ucx_fabric_create(const genie_ucx_options_t *options, genie_allocator_t allocator,
                                       genie_ucx_fabric_t **out_fabric) {
  (void)options;
  (void)allocator;
  (void)out_fabric;
  return absent();
}

void genie_ucx_fabric_destroy(genie_ucx_fabric_t *fabric) {
  (void)fabric;
}

genie_status_t genie_ucx_fabric_register(genie_ucx_fabric_t *fabric, void *address, uint64_t bytes,
                                         genie_ucx_memory_t kind) {
  (void)fabric;
  (void)address;
  (void)bytes;
  (void)kind;
  return absent();
}

genie_status_t genie_ucx_open(genie_ucx_fabric_t *fabric, genie_channel_t *control, genie_wire_side_t side,
                              const char *demand, genie_deadline_ns_t deadline, genie_channel_t **out_channel) {
  (void)fabric;
  (void)control;
  (void)side;
  (void)demand;
  (void)deadline;
  (void)out_channel;
  return absent();
}
