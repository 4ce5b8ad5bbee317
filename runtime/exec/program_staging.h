// Inputs and outputs of places that the host cannot reach: between the mirror, which is the host's, and the staging
// memory, which is the device's.
#ifndef GENIE_RUNTIME_EXEC_PROGRAM_STAGING_H_
#define GENIE_RUNTIME_EXEC_PROGRAM_STAGING_H_

#include "runtime/exec/program.h"

// Enqueues copies of all inputs (or outputs) of place `place`, in the sizes that are bound, on its first stream. Does
// nothing for a place without mirror.
genie_status_t genie_program_upload(const genie_program_t *program, genie_place_t *places,
                                    uint32_t place) GENIE_MUST_USE;
genie_status_t genie_program_download(const genie_program_t *program, genie_place_t *places,
                                      uint32_t place) GENIE_MUST_USE;

// Records the device's time in one of the place's events, if the program's runs are timed and the device has a clock.
genie_status_t genie_program_stamp(const genie_program_t *program, const genie_place_t *place,
                                   genie_device_event_t *event) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_EXEC_PROGRAM_STAGING_H_
