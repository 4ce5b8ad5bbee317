// What a transfer is called in traffic tables: the module and op that made its value, or the input.
#ifndef GENIE_PASSES_TRANSFER_TRANSFER_NAME_H_
#define GENIE_PASSES_TRANSFER_TRANSFER_NAME_H_

#include "ir/genie_ir.h"

// Sets `genie.value` of `transfer`, which moves `value`: "encoder.layer.0.output:gelu", or the name of the input or
// state. What moves on keeps its name.
genie_status_t genie_transfer_name(MlirOperation function, MlirValue value, MlirOperation transfer) GENIE_MUST_USE;

#endif  // GENIE_PASSES_TRANSFER_TRANSFER_NAME_H_
