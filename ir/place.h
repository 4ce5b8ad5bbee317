// Places in the IR: the module attribute `genie.places = [{name = "node1:cpu0", kind = "cpu"}, ...]` lists them
// (without it there is one, the embedded CPU), `genie.place = N : i64` says on which an op runs, an argument is
// delivered or a genie.state lives. What has no attribute is at place 0.
#ifndef GENIE_IR_PLACE_H_
#define GENIE_IR_PLACE_H_

#include "ir/genie_ir.h"

enum { GENIE_IR_MAX_PLACES = 64 };

// At least 1.
int genie_ir_place_count(MlirModule module);
// "" where the module has no `genie.places`.
MlirStringRef genie_ir_place_name(MlirModule module, int place);
MlirStringRef genie_ir_place_kind(MlirModule module, int place);

int genie_ir_place(MlirOperation op);
void genie_ir_set_place(MlirOperation op, int place);
bool genie_ir_has_place(MlirOperation op);

// Where a value is: the place of its op, or of the function's argument.
int genie_ir_value_place(MlirValue value);
void genie_ir_set_argument_place(MlirOperation function, intptr_t index, int place);

#endif  // GENIE_IR_PLACE_H_
