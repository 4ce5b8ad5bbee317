// Which kind of device computes an op.
#ifndef GENIE_IR_DEVICE_KIND_H_
#define GENIE_IR_DEVICE_KIND_H_

#include "ir/genie_ir.h"

// Whether the place of `op`, which is in a module, is a device of `kind` ("cpu", "cuda"): by the op's `genie.place` and
// the module's `genie.places`, or, in a module of one place, by the kind of its first target. Without either it is
// "cpu".
bool genie_op_is_on(MlirOperation op, const char *kind);

// Whether products and convolutions of `op` may become calls of a vendor's library: it is on a "cuda" device, and the
// module's `genie.target` says `libraries = true`.
bool genie_op_may_call_libraries(MlirOperation op);

// Whether such calls may round f32 operands to TF32: `genie.target` says `allow_tf32 = true`.
bool genie_op_allows_tf32(MlirOperation op);

#endif  // GENIE_IR_DEVICE_KIND_H_
