// One place of a plan on this machine: its device with the code, weights, state and slab that the plan puts there.
#ifndef GENIE_RUNTIME_EXEC_PLACE_H_
#define GENIE_RUNTIME_EXEC_PLACE_H_

#include "runtime/device/device.h"
#include "runtime/exec/model.h"

// In the session's memory. Zero-initialised is empty; genie_place_deinit() accepts it half built.
typedef struct genie_place {
  genie_device_t *device;
  genie_device_module_t *module;
  genie_device_stream_t **streams;
  uint32_t stream_count;
  uint32_t target;                // the code variant in use
  genie_device_memory_t weights;  // bytes [weights_begin, weights_begin + size) of WEIGHTS
  uint64_t weights_begin;
  genie_device_memory_t state;
  genie_device_memory_t slab;
  uint64_t scratch_bytes;  // of all workers
} genie_place_t;

// Opens the device (`device_kind` NULL: the one that the plan names), loads code and weights and sets the state.
genie_status_t genie_place_init(const genie_model_t *model, uint32_t index, const char *device_kind,
                                uint32_t thread_count, genie_place_t *place) GENIE_MUST_USE;
void genie_place_deinit(genie_allocator_t allocator, genie_place_t *place);

// Sets every state of the place to its initial value.
genie_status_t genie_place_reset_state(const genie_model_t *model, uint32_t index, genie_place_t *place) GENIE_MUST_USE;

// The address of a weight or state tensor of the place.
void *genie_place_tensor_address(const genie_place_t *place, const genie_plan_tensor_t *tensor);

// Moves bytes between host and device memory, in either direction, and waits until they have arrived.
genie_status_t genie_place_copy(genie_place_t *place, void *destination, const void *source,
                                uint64_t size_bytes) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_PLACE_H_
