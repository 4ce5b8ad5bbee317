#include "remote_exec/transport/ucx_payload.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "remote_exec/transport/ucx_drive.h"

genie_status_t genie_ucx_payload_describe(const genie_ucx_channel_t *channel, const struct iovec *pieces,
                                          size_t piece_count, ucp_dt_iov_t *vector, ucp_request_param_t *param,
                                          void **out_buffer, size_t *out_count) {
  size_t count = 0;
  for (size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_len > 0) {
      vector[count++] = (ucp_dt_iov_t){.buffer = pieces[i].iov_base, .length = pieces[i].iov_len};
    }
  }
  const genie_ucx_region_t *region =
      count > 0 ? genie_ucx_fabric_find(channel->fabric, vector[0].buffer, vector[0].length) : NULL;
  const bool is_cuda = region != NULL && region->kind == GENIE_UCX_MEMORY_CUDA;
  for (size_t i = 1; i < count; ++i) {
    const genie_ucx_region_t *other = genie_ucx_fabric_find(channel->fabric, vector[i].buffer, vector[i].length);
    if (is_cuda != (other != NULL && other->kind == GENIE_UCX_MEMORY_CUDA)) {
      return genie_ucx_error(channel, GENIE_STATUS_INVALID_ARGUMENT, "one payload lies in memory of host and device");
    }
    region = other == region ? region : NULL;
  }
  param->op_attr_mask |= UCP_OP_ATTR_FIELD_MEMORY_TYPE | UCP_OP_ATTR_FIELD_DATATYPE;
  param->memory_type = is_cuda ? UCS_MEMORY_TYPE_CUDA : UCS_MEMORY_TYPE_HOST;
  param->datatype = count > 1 ? ucp_dt_make_iov() : ucp_dt_make_contig(1);
  if (region != NULL) {
    param->op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    param->memh = region->handle;
  }
  *out_buffer = count > 1 ? (void *)vector : count == 1 ? vector[0].buffer : NULL;
  *out_count = count > 1 ? count : count == 1 ? vector[0].length : 0;
  return GENIE_OK;
}

uint64_t genie_ucx_payload_checksum(const struct iovec *pieces, size_t piece_count) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (size_t i = 0; i < piece_count; ++i) {
    XXH3_64bits_update(&state, pieces[i].iov_base, pieces[i].iov_len);
  }
  return XXH3_64bits_digest(&state);
}

bool genie_ucx_payload_is_on_host(const genie_ucx_channel_t *channel, const struct iovec *pieces, size_t piece_count) {
  for (size_t i = 0; i < piece_count; ++i) {
    const genie_ucx_region_t *region = genie_ucx_fabric_find(channel->fabric, pieces[i].iov_base, pieces[i].iov_len);
    if (region != NULL && region->kind == GENIE_UCX_MEMORY_CUDA) {
      return false;
    }
  }
  return true;
}
