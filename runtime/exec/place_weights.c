#include "runtime/exec/place_weights.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/exec/weight_reader.h"
#include "runtime/plan/digest.h"

// What else is read so that neighbours are one run, and what goes to memory of a device at a time.
enum { kGapBytes = 4096, kPieceBytes = 32 * 1024 * 1024 };

typedef struct loading {
  const genie_model_t *model;
  genie_device_t *device;
  genie_device_stream_t *stream;
  genie_place_weights_t *weights;
} loading_t;

// ---- Runs ----

static int compare_offsets(const void *a, const void *b) {
  const genie_plan_tensor_t *lhs = *(const genie_plan_tensor_t *const *)a;
  const genie_plan_tensor_t *rhs = *(const genie_plan_tensor_t *const *)b;
  return lhs->offset < rhs->offset ? -1 : lhs->offset > rhs->offset;
}

static uint32_t list_weights(const genie_plan_t *plan, uint32_t place, const genie_plan_tensor_t **list) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < plan->tensor_count; ++i) {
    const genie_plan_tensor_t *tensor = &plan->tensors[i];
    if (tensor->role == GENIE_PLAN_ROLE_WEIGHT && tensor->place == place && tensor->maximum_bytes > 0) {
      list[count++] = tensor;
    }
  }
  qsort(list, count, sizeof(*list), compare_offsets);
  return count;
}

static void add_to_runs(genie_place_weights_t *weights, const genie_plan_tensor_t *tensor) {
  const uint64_t end = tensor->offset + tensor->maximum_bytes;
  genie_weight_run_t *last = weights->run_count > 0 ? &weights->runs[weights->run_count - 1] : NULL;
  if (last != NULL && tensor->offset <= last->end + kGapBytes) {
    last->end = end > last->end ? end : last->end;
    return;
  }
  weights->runs[weights->run_count++] = (genie_weight_run_t){.begin = tensor->offset, .end = end};
}

static genie_status_t find_runs(const genie_model_t *model, uint32_t place, genie_place_weights_t *weights,
                                uint64_t *out_bytes) {
  const uint32_t tensor_count = model->plan->tensor_count;
  void *list = NULL;
  void *runs = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(model->allocator, tensor_count + (size_t)1, sizeof(genie_weight_run_t), &runs));
  weights->runs = runs;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(model->allocator, tensor_count + (size_t)1, sizeof(void *), &list));
  const genie_plan_tensor_t **tensors = list;
  const uint32_t count = list_weights(model->plan, place, tensors);
  for (uint32_t i = 0; i < count; ++i) {
    add_to_runs(weights, tensors[i]);
  }
  genie_allocator_free(model->allocator, list);
  *out_bytes = 0;
  for (uint32_t i = 0; i < weights->run_count; ++i) {
    weights->runs[i].offset = *out_bytes;
    *out_bytes += (weights->runs[i].end - weights->runs[i].begin + 63) & ~63ull;
  }
  return GENIE_OK;
}

genie_status_t genie_place_weights_mark_chunks(const genie_model_t *model, uint32_t index, bool *needed) {
  genie_place_weights_t weights = {0};
  uint64_t size_bytes = 0;
  const genie_status_t status = find_runs(model, index, &weights, &size_bytes);
  for (uint32_t i = 0; status == GENIE_OK && i < weights.run_count; ++i) {
    const uint64_t end = weights.runs[i].end;
    for (uint64_t chunk = weights.runs[i].begin / GENIE_PLAN_WEIGHT_CHUNK_BYTES;
         chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES < end; ++chunk) {
      needed[chunk] = true;
    }
  }
  genie_allocator_free(model->allocator, weights.runs);
  return status;
}

// ---- Reading ----

// Puts bytes [begin, begin + size_bytes) of WEIGHTS, which are at host memory `bytes`, where runs want them.
static genie_status_t store(const loading_t *loading, const uint8_t *bytes, uint64_t begin, uint64_t size_bytes) {
  const genie_place_weights_t *weights = loading->weights;
  for (uint32_t i = 0; i < weights->run_count; ++i) {
    const genie_weight_run_t *run = &weights->runs[i];
    const uint64_t from = run->begin > begin ? run->begin : begin;
    const uint64_t to = run->end < begin + size_bytes ? run->end : begin + size_bytes;
    if (from >= to) {
      continue;
    }
    uint8_t *destination = (uint8_t *)weights->memory.address + run->offset + (from - run->begin);
    GENIE_RETURN_IF_ERROR(
        loading->device->ops->copy(loading->device, loading->stream, destination, bytes + (from - begin), to - from));
    GENIE_RETURN_IF_ERROR(loading->device->ops->stream_synchronize(loading->device, loading->stream));
  }
  return GENIE_OK;
}

static genie_status_t check_chunk(const genie_plan_t *plan, uint32_t chunk, const void *bytes, uint64_t size_bytes) {
  genie_plan_digest_t digest;
  GENIE_RETURN_IF_ERROR(genie_plan_digest_of(bytes, size_bytes, &digest));
  if (memcmp(&digest, &plan->weight_chunks[chunk], sizeof(digest)) != 0) {
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "the weights differ from their hash in chunk %u (64 MiB each)",
                             chunk);
  }
  return GENIE_OK;
}

static bool is_touched(const genie_place_weights_t *weights, uint64_t begin, uint64_t end) {
  for (uint32_t i = 0; i < weights->run_count; ++i) {
    if (weights->runs[i].begin < end && begin < weights->runs[i].end) {
      return true;
    }
  }
  return false;
}

// By way of host memory: chunks whole, so that they can be compared with their hashes.
static genie_status_t load_chunks(const loading_t *loading, uint8_t *buffer) {
  const genie_plan_t *plan = loading->model->plan;
  for (uint32_t chunk = 0; chunk < plan->weight_chunk_count; ++chunk) {
    const uint64_t begin = (uint64_t)chunk * GENIE_PLAN_WEIGHT_CHUNK_BYTES;
    const uint64_t left = plan->weights_bytes - begin;
    const uint64_t size_bytes = left < GENIE_PLAN_WEIGHT_CHUNK_BYTES ? left : GENIE_PLAN_WEIGHT_CHUNK_BYTES;
    if (!is_touched(loading->weights, begin, begin + size_bytes)) {
      continue;
    }
    GENIE_RETURN_IF_ERROR(genie_weight_reader_read(plan, begin, size_bytes, buffer, loading->device->worker_count));
    GENIE_RETURN_IF_ERROR(check_chunk(plan, chunk, buffer, size_bytes));
    GENIE_RETURN_IF_ERROR(store(loading, buffer, begin, size_bytes));
  }
  return GENIE_OK;
}

// By way of host memory, to a device whose memory the host cannot reach.
static genie_status_t load_pieces(const loading_t *loading, uint8_t *buffer) {
  for (uint32_t i = 0; i < loading->weights->run_count; ++i) {
    const genie_weight_run_t *run = &loading->weights->runs[i];
    for (uint64_t begin = run->begin; begin < run->end; begin += kPieceBytes) {
      const uint64_t size_bytes = run->end - begin < kPieceBytes ? run->end - begin : kPieceBytes;
      GENIE_RETURN_IF_ERROR(genie_weight_reader_read(loading->model->plan, begin, size_bytes, buffer, 8));
      GENIE_RETURN_IF_ERROR(store(loading, buffer, begin, size_bytes));
    }
  }
  return GENIE_OK;
}

static genie_status_t load_directly(const loading_t *loading) {
  const genie_place_weights_t *weights = loading->weights;
  for (uint32_t i = 0; i < weights->run_count; ++i) {
    const genie_weight_run_t *run = &weights->runs[i];
    GENIE_RETURN_IF_ERROR(genie_weight_reader_read(loading->model->plan, run->begin, run->end - run->begin,
                                                   (uint8_t *)weights->memory.address + run->offset,
                                                   loading->device->worker_count));
  }
  return GENIE_OK;
}

static genie_status_t load_by_way_of_host(const loading_t *loading, bool is_verified) {
  const genie_allocator_t allocator = loading->model->allocator;
  void *buffer = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(allocator, is_verified ? GENIE_PLAN_WEIGHT_CHUNK_BYTES : kPieceBytes, 1, &buffer));
  const genie_status_t status = is_verified ? load_chunks(loading, buffer) : load_pieces(loading, buffer);
  genie_allocator_free(allocator, buffer);
  return status;
}

static genie_status_t load(const loading_t *loading) {
  const genie_plan_t *plan = loading->model->plan;
  const genie_place_weights_t *weights = loading->weights;
  const bool is_all = weights->run_count == 1 && weights->runs[0].end - weights->runs[0].begin == plan->weights_bytes;
  // A store has compared its chunks when it took them in.
  const bool is_verified = loading->model->has_weight_verification && plan->weight_source.read == NULL;
  if (weights->run_count == 0) {
    return GENIE_OK;
  }
  if (is_verified && is_all && weights->memory.is_host_addressable) {
    return genie_weight_reader_read_verified(plan, weights->memory.address, loading->device->worker_count);
  }
  return is_verified || !weights->memory.is_host_addressable ? load_by_way_of_host(loading, is_verified)
                                                             : load_directly(loading);
}

// Uses the source's memory where it has all of WEIGHTS and the device computes from host memory.
static genie_status_t share(const genie_plan_t *plan, genie_device_t *device, genie_place_weights_t *weights) {
  const genie_plan_weight_source_t *source = &plan->weight_source;
  genie_device_memory_t probe = {0};
  const void *shared = source->share != NULL && weights->run_count > 0 ? source->share(source->self) : NULL;
  if (shared == NULL) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(device->ops->memory_allocate(device, 0, &probe));
  weights->is_shared = probe.is_host_addressable;
  device->ops->memory_free(device, &probe);
  if (weights->is_shared) {
    weights->memory = (genie_device_memory_t){
        .address = (void *)shared, .size_bytes = plan->weights_bytes, .is_host_addressable = true};
    for (uint32_t i = 0; i < weights->run_count; ++i) {
      weights->runs[i].offset = weights->runs[i].begin;
    }
  }
  return GENIE_OK;
}

genie_status_t genie_place_weights_init(const genie_model_t *model, uint32_t index, genie_device_t *device,
                                        genie_device_stream_t *stream, genie_place_weights_t *weights) {
  uint64_t size_bytes = 0;
  GENIE_RETURN_IF_ERROR(find_runs(model, index, weights, &size_bytes));
  GENIE_RETURN_IF_ERROR(share(model->plan, device, weights));
  if (weights->is_shared) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(device->ops->memory_allocate(device, size_bytes, &weights->memory));
  return load(&(loading_t){model, device, stream, weights});
}

void genie_place_weights_deinit(genie_allocator_t allocator, genie_device_t *device, genie_place_weights_t *weights) {
  if (!weights->is_shared) {
    device->ops->memory_free(device, &weights->memory);
  }
  genie_allocator_free(allocator, weights->runs);
  *weights = (genie_place_weights_t){0};
}

void *genie_place_weights_address(const genie_place_weights_t *weights, const genie_plan_tensor_t *tensor) {
  uint32_t low = 0;
  uint32_t high = weights->run_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (weights->runs[middle].end <= tensor->offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == weights->run_count) {
    return weights->memory.address;  // a weight without bytes
  }
  return (uint8_t *)weights->memory.address + weights->runs[low].offset + (tensor->offset - weights->runs[low].begin);
}
