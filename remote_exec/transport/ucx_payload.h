// Inside of the ucx carrier: where payloads lie.
#ifndef GENIE_REMOTE_EXEC_TRANSPORT_UCX_PAYLOAD_H_
#define GENIE_REMOTE_EXEC_TRANSPORT_UCX_PAYLOAD_H_

#include "remote_exec/transport/ucx_channel.h"

// Sets what UCX is told about the memory of `pieces`, which `vector` (of as many) may describe. INVALID_ARGUMENT: it is
// of host and device.
genie_status_t genie_ucx_payload_describe(const genie_ucx_channel_t *channel, const struct iovec *pieces,
                                          size_t piece_count, ucp_dt_iov_t *vector, ucp_request_param_t *param,
                                          void **out_buffer, size_t *out_count) GENIE_MUST_USE;

// XXH3-64 of their concatenation, which is in host memory.
uint64_t genie_ucx_payload_checksum(const struct iovec *pieces, size_t piece_count);

bool genie_ucx_payload_is_on_host(const genie_ucx_channel_t *channel, const struct iovec *pieces, size_t piece_count);

#endif  // GENIE_REMOTE_EXEC_TRANSPORT_UCX_PAYLOAD_H_
