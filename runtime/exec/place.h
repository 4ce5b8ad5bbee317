// One place of a plan on this machine: its device with the code, weights, state and slab that the plan puts there.
#ifndef GENIE_RUNTIME_EXEC_PLACE_H_
#define GENIE_RUNTIME_EXEC_PLACE_H_

#include "runtime/device/device.h"
#include "runtime/exec/model.h"
#include "runtime/exec/place_weights.h"

// In the session's memory. Zero-initialised is empty; genie_place_deinit() accepts it half built.
typedef struct genie_place {
  genie_device_t *device;
  genie_device_module_t *module;
  genie_device_stream_t **streams;
  uint32_t stream_count;
  uint32_t target;  // the code variant in use
  genie_place_weights_t weights;
  genie_device_memory_t state;
  genie_device_memory_t slab;
  // Inputs and outputs whose own memory a kernel cannot use, laid out by each program. Its pages are taken when they
  // are first used.
  genie_device_memory_t staging;
  // Where the host cannot reach the device's memory: host memory that the device can. `mirror` holds what `staging`
  // does, at the same offsets; `message` what is sent and received.
  uint8_t *mirror;
  uint64_t mirror_bytes;
  void *message;
  genie_device_event_t *begin_event, *end_event;  // around a run's work, where it is timed
  uint64_t scratch_bytes;                         // of all workers
  uint64_t copy_bytes;                            // moved by the place's copies in the current run
  uint64_t device_ns;                             // of the last timed run, between upload and download
} genie_place_t;

// Opens the device (`device_kind` NULL: the one that the plan names), loads code and weights and sets the state.
// Without an ordinal in `options`, the place's name gives it: "node1:cuda2" is the third.
genie_status_t genie_place_init(const genie_model_t *model, uint32_t index, const char *device_kind,
                                const genie_device_options_t *options, genie_place_t *place) GENIE_MUST_USE;

// Memory for `staging_bytes` of inputs and outputs, and for messages of `message_bytes` at most, as the place's
// programs need them.
genie_status_t genie_place_create_staging(uint64_t staging_bytes, uint64_t message_bytes,
                                          genie_place_t *place) GENIE_MUST_USE;

// For runs, or a profile's steps, that are timed by the device's own clock, if it has one.
genie_status_t genie_place_create_clock(genie_place_t *place) GENIE_MUST_USE;

// Where the host finds byte `offset` of the staging memory: there, or in its mirror.
static inline uint8_t *genie_place_host_staging(const genie_place_t *place, uint64_t offset) {
  return (place->staging.is_host_addressable ? (uint8_t *)place->staging.address : place->mirror) + offset;
}
void genie_place_deinit(genie_allocator_t allocator, genie_place_t *place);

// Sets every state of the place to its initial value.
genie_status_t genie_place_reset_state(const genie_model_t *model, uint32_t index, genie_place_t *place) GENIE_MUST_USE;

// The address of a weight or state tensor of the place.
void *genie_place_tensor_address(const genie_place_t *place, const genie_plan_tensor_t *tensor);

// Moves bytes between host and device memory, in either direction, and waits until they have arrived.
genie_status_t genie_place_copy(genie_place_t *place, void *destination, const void *source,
                                uint64_t size_bytes) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_PLACE_H_
