// What MLIR's C API lacks and Genie needs; the only C++ of the compiler is behind this header.
#ifndef GENIE_IR_DIALECT_H_
#define GENIE_IR_DIALECT_H_

#include <mlir-c/IR.h>

#include "runtime/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Loads func, genie and gplan into `context`.
void genie_dialect_load_all(MlirContext context);

// All attributes of `op`, inherent and discardable, as one dictionary.
MlirAttribute genie_dialect_attributes(MlirOperation op);

// True when `op` is without side effects, so that it may be erased when its results are unused.
bool genie_dialect_is_pure(MlirOperation op);

// Calls that MLIR's verifier makes into C; implemented in verify*.c. Each returns what is wrong, without the op's name.
genie_status_t genie_verify_op(MlirOperation op);
genie_status_t genie_verify_state_update(MlirOperation op, MlirOperation state);  // `state` null: it does not exist
genie_status_t genie_verify_attribute(MlirOperation op, MlirStringRef name, MlirAttribute value);
genie_status_t genie_verify_argument_attribute(MlirOperation function, intptr_t argument, MlirStringRef name,
                                               MlirAttribute value);
genie_status_t genie_verify_result_attribute(MlirOperation function, intptr_t result, MlirStringRef name,
                                             MlirAttribute value);

#ifdef __cplusplus
}
#endif

#endif  // GENIE_IR_DIALECT_H_
