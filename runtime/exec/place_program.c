#include "runtime/exec/place_program.h"

#include "runtime/exec/program.h"

struct genie_place_program {
  const genie_model_t *model;
};

genie_status_t genie_place_program_create(const genie_model_t *model, uint32_t place,
                                          const genie_place_program_options_t *options,
                                          genie_place_program_t **out_program) {
  (void)options;
  (void)out_program;
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "place %u of %u: places do not run alone", place,
                           model->plan->place_count);
}
