// The parts of the dialect's verifier. Messages continue the op's name: "'genie.linear' op must have a result ..".
#ifndef GENIE_IR_VERIFY_H_
#define GENIE_IR_VERIFY_H_

#include "ir/genie_ir.h"

#define genie_verify_refuse(...) genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

// A ranked tensor of at most GENIE_IR_MAX_RANK dimensions whose encoding is in normal form.
genie_status_t genie_verify_type(MlirType type) GENIE_MUST_USE;

// "<what> of type <expected>, not <actual>" unless they are equal.
genie_status_t genie_verify_same_type(const char *what, MlirType expected, MlirType actual) GENIE_MUST_USE;

// The region of a kernel: arguments match inputs, yields match outputs, at most one anchor, layouts are permutations.
genie_status_t genie_verify_kernel(MlirOperation op) GENIE_MUST_USE;

#endif  // GENIE_IR_VERIFY_H_
