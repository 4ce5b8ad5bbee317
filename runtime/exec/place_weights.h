// The weights of one place in its device's memory: those that it uses, in runs that follow each other in WEIGHTS.
#ifndef GENIE_RUNTIME_EXEC_PLACE_WEIGHTS_H_
#define GENIE_RUNTIME_EXEC_PLACE_WEIGHTS_H_

#include "runtime/device/device.h"
#include "runtime/exec/model.h"

// Bytes [begin, end) of WEIGHTS, at `offset` of the memory.
typedef struct genie_weight_run {
  uint64_t begin, end;
  uint64_t offset;
} genie_weight_run_t;

// Zero-initialised is empty.
typedef struct genie_place_weights {
  genie_device_memory_t memory;
  genie_weight_run_t *runs;  // ascending
  uint32_t run_count;
  bool is_shared;  // the memory is the weight source's, and each run is at its offset in WEIGHTS
} genie_place_weights_t;

// Allocates memory for the weights of place `index` and reads them, on as many threads as the device has workers;
// compares them with their hashes where the model says so. `stream` is of the device. Deinitialise even after a
// failure.
genie_status_t genie_place_weights_init(const genie_model_t *model, uint32_t index, genie_device_t *device,
                                        genie_device_stream_t *stream, genie_place_weights_t *weights) GENIE_MUST_USE;
void genie_place_weights_deinit(genie_allocator_t allocator, genie_device_t *device, genie_place_weights_t *weights);

// Sets needed[chunk], of [weight_chunk_count], for each chunk of WEIGHTS that genie_place_weights_init() reads from.
genie_status_t genie_place_weights_mark_chunks(const genie_model_t *model, uint32_t index, bool *needed) GENIE_MUST_USE;

// The device address of a weight of the place.
void *genie_place_weights_address(const genie_place_weights_t *weights, const genie_plan_tensor_t *tensor);

#endif  // GENIE_RUNTIME_EXEC_PLACE_WEIGHTS_H_
