#include "runtime/exec/program_staging.h"

// What lies between two tensors is moved too when it is little.
enum { kGapBytes = 4096 };

static genie_status_t move_range(const genie_place_t *place, uint64_t begin, uint64_t end, bool is_upload) {
  genie_device_t *device = place->device;
  uint8_t *staged = (uint8_t *)place->staging.address + begin;
  uint8_t *host = place->mirror + begin;
  return device->ops->copy(device, place->streams[0], is_upload ? staged : host, is_upload ? host : staged,
                           end - begin);
}

// Of bindings [first, last), those of the place; neighbours are moved at once.
static genie_status_t move_bindings(const genie_program_t *program, genie_place_t *places, uint32_t place,
                                    uint32_t first, uint32_t last, bool is_upload) {
  uint64_t begin = 0, end = 0;
  for (uint32_t i = first; places[place].mirror != NULL && i < last; ++i) {
    if (genie_program_binding_tensor(program->plan, program, i)->place != place) {
      continue;
    }
    const uint64_t offset = program->staging_offsets[i];
    if (end == begin || offset > end + kGapBytes) {
      GENIE_RETURN_IF_ERROR(move_range(&places[place], begin, end, is_upload));
      begin = offset;
    }
    end = offset + genie_program_binding_bytes(program, i);
  }
  return end == begin ? GENIE_OK : move_range(&places[place], begin, end, is_upload);
}

genie_status_t genie_program_upload(const genie_program_t *program, genie_place_t *places, uint32_t place) {
  return move_bindings(program, places, place, 0, program->input_count, true);
}

genie_status_t genie_program_download(const genie_program_t *program, genie_place_t *places, uint32_t place) {
  return move_bindings(program, places, place, program->input_count, program->input_count + program->output_count,
                       false);
}

genie_status_t genie_program_stamp(const genie_program_t *program, const genie_place_t *place,
                                   genie_device_event_t *event) {
  return program->is_timed && event != NULL ? place->device->ops->event_stamp(place->device, place->streams[0], event)
                                            : GENIE_OK;
}
