#include "runtime/exec/place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/checked_math.h"

enum { kPageBytes = 4096 };

// ---- State ----

void *genie_place_tensor_address(const genie_place_t *place, const genie_plan_tensor_t *tensor) {
  return tensor->role == GENIE_PLAN_ROLE_STATE ? (uint8_t *)place->state.address + tensor->offset
                                               : genie_place_weights_address(&place->weights, tensor);
}

genie_status_t genie_place_copy(genie_place_t *place, void *destination, const void *source, uint64_t size_bytes) {
  genie_device_t *device = place->device;
  GENIE_RETURN_IF_ERROR(device->ops->copy(device, place->streams[0], destination, source, size_bytes));
  return device->ops->stream_synchronize(device, place->streams[0]);
}

static genie_status_t reset_state(const genie_plan_t *plan, genie_place_t *place, const genie_plan_tensor_t *state) {
  void *address = genie_place_tensor_address(place, state);
  if (state->initial != GENIE_PLAN_NONE) {
    return genie_place_copy(place, address, genie_place_tensor_address(place, &plan->tensors[state->initial]),
                            state->maximum_bytes);
  }
  genie_device_t *device = place->device;
  GENIE_RETURN_IF_ERROR(device->ops->zero(device, place->streams[0], address, state->maximum_bytes));
  return device->ops->stream_synchronize(device, place->streams[0]);
}

genie_status_t genie_place_reset_state(const genie_model_t *model, uint32_t index, genie_place_t *place) {
  for (uint32_t i = 0; i < model->state_count; ++i) {
    const genie_plan_tensor_t *state = &model->plan->tensors[model->states[i]];
    if (state->place == index) {
      GENIE_RETURN_IF_ERROR(reset_state(model->plan, place, state));
    }
  }
  return GENIE_OK;
}

// The memory is zeroed when it is new, so only states with a value are set: a cache that is not used yet takes no
// pages.
static genie_status_t set_initial_state(const genie_model_t *model, uint32_t index, genie_place_t *place) {
  for (uint32_t i = 0; i < model->state_count; ++i) {
    const genie_plan_tensor_t *state = &model->plan->tensors[model->states[i]];
    if (state->place == index && state->initial != GENIE_PLAN_NONE) {
      GENIE_RETURN_IF_ERROR(reset_state(model->plan, place, state));
    }
  }
  return GENIE_OK;
}

// ---- Construction ----

// A device with every feature ("*") takes the last variant made for the kind of device that the plan names.
static genie_status_t select_target(const genie_plan_t *plan, const char *planned_kind, const genie_device_t *device,
                                    uint32_t *out_target) {
  if (strcmp(device->features, "*") != 0) {
    return genie_plan_select_target(plan, device->kind, device->features, out_target);
  }
  for (uint32_t i = plan->target_count; i > 0; --i) {
    if (strcmp(genie_plan_string(plan, plan->targets[i - 1].device_kind), planned_kind) == 0) {
      *out_target = i - 1;
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "the plan has no code for a device of kind '%s'",
                           planned_kind);
}

static genie_status_t load_code(const genie_plan_t *plan, const char *planned_kind, genie_place_t *place) {
  GENIE_RETURN_IF_ERROR(select_target(plan, planned_kind, place->device, &place->target));
  uint64_t scratch_bytes = 0;
  for (uint32_t i = 0; i < plan->kernel_count; ++i) {
    scratch_bytes = plan->kernels[i].scratch_bytes > scratch_bytes ? plan->kernels[i].scratch_bytes : scratch_bytes;
  }
  place->scratch_bytes = scratch_bytes * place->device->worker_count;
  const genie_plan_target_t *target = &plan->targets[place->target];
  return place->device->ops->module_load(place->device, plan->code + target->code_offset, target->code_bytes,
                                         genie_plan_code_offsets(plan, place->target), plan->kernel_count,
                                         scratch_bytes, &place->module);
}

static genie_status_t create_streams(const genie_model_t *model, genie_place_t *place) {
  uint32_t stream_count = 1;
  for (uint32_t i = 0; i < model->plan->entry_count; ++i) {
    const uint32_t count = model->plan->entries[i].stream_count;
    stream_count = count > stream_count ? count : stream_count;
  }
  void *streams = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(model->allocator, stream_count, sizeof(*place->streams), &streams));
  place->streams = streams;
  for (; place->stream_count < stream_count; ++place->stream_count) {
    GENIE_RETURN_IF_ERROR(place->device->ops->stream_create(place->device, &place->streams[place->stream_count]));
  }
  return GENIE_OK;
}

// The number at the end of a place's name.
static uint32_t ordinal_of(const char *name) {
  size_t length = strlen(name);
  while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9') {
    --length;
  }
  return (uint32_t)strtoul(name + length, NULL, 10);
}

genie_status_t genie_place_init(const genie_model_t *model, uint32_t index, const char *device_kind,
                                const genie_device_options_t *options, genie_place_t *place) {
  const genie_plan_place_t *record = &model->plan->places[index];
  const char *planned_kind = genie_plan_string(model->plan, record->device_kind);
  genie_device_options_t device_options = *options;
  if (device_options.ordinal == 0 && !device_options.has_ordinal) {
    device_options.ordinal = ordinal_of(genie_plan_string(model->plan, record->name));
  }
  GENIE_RETURN_IF_ERROR(genie_device_create(device_kind != NULL ? device_kind : planned_kind, &device_options,
                                            model->allocator, &place->device));
  GENIE_RETURN_IF_ERROR(load_code(model->plan, planned_kind, place));
  GENIE_RETURN_IF_ERROR(create_streams(model, place));
  GENIE_RETURN_IF_ERROR(genie_place_weights_init(model, index, place->device, place->streams[0], &place->weights));
  GENIE_RETURN_IF_ERROR(place->device->ops->memory_allocate(place->device, record->slab_bytes, &place->slab));
  GENIE_RETURN_IF_ERROR(place->device->ops->memory_allocate(place->device, record->state_bytes, &place->state));
  return set_initial_state(model, index, place);
}

// Pages, because a device registers whole ones; they are taken when they are first used.
static genie_status_t map_host(genie_place_t *place, uint64_t size_bytes) {
  uint64_t mapped_bytes = 0;
  if (!genie_checked_align_u64(size_bytes, kPageBytes, &mapped_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "inputs and outputs need too much memory");
  }
  void *memory = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the system gives no %llu bytes for inputs and outputs",
                             (unsigned long long)mapped_bytes);
  }
  place->mirror = memory;
  place->mirror_bytes = mapped_bytes;
  genie_device_t *device = place->device;
  return device->ops->host_register == NULL ? GENIE_OK : device->ops->host_register(device, memory, mapped_bytes);
}

static void unmap_host(genie_place_t *place) {
  genie_device_t *device = place->device;
  if (place->mirror == NULL) {
    return;
  }
  if (device->ops->host_unregister != NULL) {
    device->ops->host_unregister(device, place->mirror);
  }
  munmap(place->mirror, place->mirror_bytes);
}

genie_status_t genie_place_create_staging(uint64_t staging_bytes, uint64_t message_bytes, genie_place_t *place) {
  GENIE_RETURN_IF_ERROR(place->device->ops->memory_allocate(place->device, staging_bytes, &place->staging));
  if (place->staging.is_host_addressable) {
    return GENIE_OK;
  }
  uint64_t size_bytes = 0;
  if (!genie_checked_add_u64(staging_bytes, message_bytes, &size_bytes)) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "inputs and outputs need too much memory");
  }
  GENIE_RETURN_IF_ERROR(map_host(place, size_bytes + 1));
  place->message = place->mirror + staging_bytes;
  return GENIE_OK;
}

genie_status_t genie_place_create_clock(genie_place_t *place) {
  genie_device_t *device = place->device;
  if (device->ops->event_elapsed == NULL || place->begin_event != NULL) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(device->ops->event_create(device, &place->begin_event));
  return device->ops->event_create(device, &place->end_event);
}

void genie_place_deinit(genie_allocator_t allocator, genie_place_t *place) {
  genie_device_t *device = place->device;
  if (device == NULL) {
    return;
  }
  for (uint32_t i = 0; i < place->stream_count; ++i) {
    device->ops->stream_destroy(device, place->streams[i]);
  }
  genie_allocator_free(allocator, place->streams);
  device->ops->module_unload(device, place->module);
  genie_place_weights_deinit(allocator, device, &place->weights);
  device->ops->memory_free(device, &place->state);
  device->ops->memory_free(device, &place->slab);
  device->ops->memory_free(device, &place->staging);
  device->ops->event_destroy(device, place->begin_event);
  device->ops->event_destroy(device, place->end_event);
  unmap_host(place);
  genie_device_destroy(device);
  *place = (genie_place_t){0};
}
