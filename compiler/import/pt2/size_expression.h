// Sizes as torch.export writes them: sympy's srepr text, as in "Mul(Integer(4), Symbol('s94', positive=True,
// integer=True))".
#ifndef GENIE_COMPILER_IMPORT_PT2_SIZE_EXPRESSION_H_
#define GENIE_COMPILER_IMPORT_PT2_SIZE_EXPRESSION_H_

#include "ir/genie_ir.h"

// The symbols of a function, in the order of their affine positions.
typedef struct genie_pt2_symbols {
  int count;
  genie_ir_symbol_t items[GENIE_IR_MAX_SYMBOLS];
} genie_pt2_symbols_t;

// Parses Symbol, Integer, Add, Mul, Pow, FloorDiv, CleanDiv, Mod and PythonMod. A symbol that `symbols` lacks is
// appended (range 1 to 0) when `can_add`, and an error otherwise. UNIMPLEMENTED for what no affine expression can say
// (Max, Min, quotients of symbols), INVALID_ARGUMENT for malformed text.
genie_status_t genie_pt2_size_parse(MlirContext context, const char *text, bool can_add, genie_pt2_symbols_t *symbols,
                                    MlirAffineExpr *out_size) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_PT2_SIZE_EXPRESSION_H_
