// Hooks under construction: the evaluation of a kernel's region at an index, as LLVM IR. Private to codegen/kernel.
#ifndef GENIE_CODEGEN_KERNEL_HOOK_H_
#define GENIE_CODEGEN_KERNEL_HOOK_H_

#include <llvm-c/Core.h>

#include "codegen/kernel/lowering.h"
#include "codegen/kernel/template_library.h"

enum { GENIE_HOOK_MAX_ARGS = 256 };

// The part of a space that lies in one operand of a concatenation along `axis`: hooks that are made while it is set
// take their index along the axis from `start`, and every concatenation with the same sizes there reads operand
// `operand`.
typedef struct genie_hook_piece {
  MlirOperation concat;  // null: the whole space
  int axis, operand;
  MlirAffineExpr start, whole;  // where the piece begins, and the size of the axis
} genie_hook_piece_t;

// The LLVM side of a lowering.
struct genie_lowering_state {
  genie_template_library_t *library;
  LLVMContextRef llvm;
  LLVMModuleRef module;  // of the template, once chosen
  LLVMBuilderRef builder;
  char template_name[64];
  const char *family;
  int input_count, output_count;
  int dim_count;
  MlirAffineExpr dims[GENIE_LOWER_MAX_DIMS];  // symbols, in the order in which the frame carries them
  genie_hook_piece_t piece;
  // Outputs may take over inputs (see code.h); arguments that may share memory have one alias class.
  uint64_t in_place[GENIE_IR_MAX_RESULTS];
  int alias_class[GENIE_HOOK_MAX_ARGS];
};

// A value that was computed at an index: results of the anchor are bound so, others remembered.
typedef struct genie_hook_memo {
  MlirValue value;
  int rank;
  LLVMValueRef index[GENIE_IR_MAX_RANK];
  LLVMValueRef result;
  bool is_bound;
} genie_hook_memo_t;

// One function under construction.
typedef struct genie_hook {
  genie_lowering_t *lowering;
  struct genie_lowering_state *state;
  LLVMBuilderRef builder;
  LLVMValueRef function;
  LLVMValueRef frame;
  LLVMValueRef piece_index;  // along the axis of the state's piece
  genie_hook_memo_t *memo;
  int memo_count, memo_capacity;
} genie_hook_t;

// Index components, one a dimension, as i64.
typedef LLVMValueRef genie_hook_index_t[GENIE_IR_MAX_RANK];

//===-- lowering.c: functions -------------------------------------------------------------------------------------===//

// Opens the body of a hook that the template declares. False, and nothing is opened, where it does not declare it.
bool genie_hook_begin(genie_lowering_t *lowering, const char *name, genie_hook_t *out_hook);
void genie_hook_end(genie_hook_t *hook);

//===-- hook_types.c: scalars in LLVM
//----------------------------------------------------------------------------------===//

// bool is i1, f16 and bf16 are float.
LLVMTypeRef genie_hook_compute_type(LLVMContextRef llvm, genie_dtype_t dtype);
// bool is i8, bf16 is i16.
LLVMTypeRef genie_hook_storage_type(LLVMContextRef llvm, genie_dtype_t dtype);
// Name of the compute type, as in scalar.c: "f32" for bf16.
const char *genie_hook_compute_name(genie_dtype_t dtype);
LLVMValueRef genie_hook_from_storage(genie_hook_t *hook, LLVMValueRef stored, genie_dtype_t dtype);
LLVMValueRef genie_hook_to_storage(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype);
// As PyTorch's `to`: from one compute type to another. Out-of-range floats give some integer.
LLVMValueRef genie_hook_cast(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t from, genie_dtype_t to);
// Between the compute type of `dtype` and the C type that a template declares.
LLVMValueRef genie_hook_to_declared(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype, LLVMTypeRef type);
LLVMValueRef genie_hook_from_declared(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype);
// A number as a constant of the compute type.
LLVMValueRef genie_hook_number(genie_hook_t *hook, genie_dtype_t dtype, double number);

//===-- hook.c: memory and sizes ----------------------------------------------------------------------------------===//

LLVMValueRef genie_hook_i64(const genie_hook_t *hook, int64_t value);
// A size: a constant, or computed from the symbols in the frame.
LLVMValueRef genie_hook_size(genie_hook_t *hook, MlirAffineExpr size);
LLVMValueRef genie_hook_min(genie_hook_t *hook, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef genie_hook_max(genie_hook_t *hook, LLVMValueRef a, LLVMValueRef b);
// The pointer that the frame holds for an argument.
LLVMValueRef genie_hook_argument_base(genie_hook_t *hook, int argument);
// The address of element `index` of a view rooted in a block argument.
LLVMValueRef genie_hook_argument_address(genie_hook_t *hook, const genie_strided_view_t *view, LLVMValueRef *index);
// As above for output `output`, with the strides of `view`.
LLVMValueRef genie_hook_output_address(genie_hook_t *hook, int output, const genie_strided_view_t *view,
                                       LLVMValueRef *index);
// Marks a load or store as an access to argument `argument` of the kernel.
void genie_hook_tag_access(const genie_hook_t *hook, LLVMValueRef instruction, int argument);
// A read-only table of the module.
LLVMValueRef genie_hook_table(genie_hook_t *hook, LLVMTypeRef element_type, LLVMValueRef *elements, unsigned count);

//===-- evaluate.c ------------------------------------------------------------------------------------------------===//

// `value` at `index` in the compute type of its dtype. `index` has an entry for each dimension of `value`.
genie_status_t genie_hook_evaluate(genie_hook_t *hook, MlirValue value, LLVMValueRef *index,
                                   LLVMValueRef *out_result) GENIE_MUST_USE;
// As above where `index` is of a space of `rank` dimensions into which `value` is broadcast.
genie_status_t genie_hook_evaluate_broadcast(genie_hook_t *hook, MlirValue value, int rank, LLVMValueRef *index,
                                             LLVMValueRef *out_result) GENIE_MUST_USE;
// States that `value` is `result` at `index`: the result of the anchor.
genie_status_t genie_hook_bind(genie_hook_t *hook, MlirValue value, LLVMValueRef *index,
                               LLVMValueRef result) GENIE_MUST_USE;

// Element `index` of the index tensor `positions`, broadcast into `rank` dimensions, for a dimension of `size`:
// negative ones count from the end, and what is out of range is moved to the nearest element.
genie_status_t genie_hook_position(genie_hook_t *hook, MlirValue positions, int rank, LLVMValueRef *index,
                                   MlirAffineExpr size, LLVMValueRef *out_position) GENIE_MUST_USE;

// Evaluation of an op that reads its operands at other indices (indexed.def).
typedef genie_status_t (*genie_indexed_emit_fn_t)(genie_hook_t *hook, MlirOperation op, LLVMValueRef *index,
                                                  LLVMValueRef *out_result);

//===-- trace.c: which dimensions may be walked as one ------------------------------------------------------------===//

// The space of a hook without its dimensions of size 1, in the space's order, and the boundaries between neighbours
// that have to stay because some access is not linear across them.
typedef struct genie_trace {
  genie_lowering_t *lowering;
  int value_rank;              // of the space
  int map[GENIE_IR_MAX_RANK];  // dimension of the space's values -> dims below, or -1
  int count;
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  int value_dim[GENIE_IR_MAX_RANK];  // inverse of map
  bool is_split[GENIE_IR_MAX_RANK];  // between i and i + 1
  void *visited;
} genie_trace_t;

void genie_trace_init(genie_lowering_t *lowering, const genie_lower_space_t *space, genie_trace_t *out_trace);
void genie_trace_deinit(genie_trace_t *trace);
// Adds every access that the evaluation of `value`, broadcast into the space, makes.
void genie_trace_value(genie_trace_t *trace, MlirValue value);
// Adds the store through `view`, whose dimensions are those of the space's values.
void genie_trace_view(genie_trace_t *trace, const genie_strided_view_t *view);

// Adds all accesses of the store hook that genie_lower_define_store() makes for `space`.
genie_status_t genie_lower_stored_trace(genie_lowering_t *lowering, const genie_lower_space_t *space,
                                        genie_trace_t *trace) GENIE_MUST_USE;

// Splits the hook's index arguments (parameters 1..) into the components of an index.
void genie_trace_split_index(const genie_trace_t *trace, const genie_lower_space_t *space, genie_hook_t *hook,
                             LLVMValueRef *out_index);

//===-- region.c --------------------------------------------------------------------------------------------------===//

// The physical order of input or output `argument` of the kernel, or NULL for row-major.
const int64_t *genie_region_layout(const genie_lowering_t *lowering, int argument, int64_t storage[GENIE_IR_MAX_RANK]);
// Dimensions of `value` from outermost to innermost in memory, judged by an argument of its shape that it is made of.
void genie_region_physical_order(const genie_lowering_t *lowering, MlirValue value, int out_order[GENIE_IR_MAX_RANK]);
// The index of a block argument of the kernel's body, or -1.
int genie_region_argument(const genie_lowering_t *lowering, MlirValue value);
// Scalar operations for one element, roughly: half a unit an op, more for transcendental ones.
double genie_region_cost(const genie_lowering_t *lowering);
bool genie_region_depends_on(MlirValue value, MlirOperation op);
bool genie_region_depends_on_results(MlirValue value, MlirOperation op, int first, int count);
// Outputs that may take over the memory of inputs; fills in_place and alias_class of the state.
void genie_region_find_in_place(genie_lowering_t *lowering);
// What output `output` stores for each index of `space_dims`: the value evaluated there, and where its element goes.
bool genie_region_stored_value(const genie_lowering_t *lowering, int output, int rank, const MlirAffineExpr *space_dims,
                               MlirValue *out_value, genie_strided_view_t *out_view);

// True when concatenation `op` joins along the axis of the lowering's piece in operands of the same sizes.
bool genie_region_is_cut_alike(const genie_lowering_t *lowering, MlirOperation op);

// Corresponding groups of dimensions of a reshape, from left to right: [to_first, to_last) and [from_first, from_last)
// have one product. Starts from {0}; false after the last group.
typedef struct genie_reshape_group {
  int to_first, to_last, from_first, from_last;
} genie_reshape_group_t;
bool genie_region_next_reshape_group(MlirContext context, const genie_tensor_type_t *to,
                                     const genie_tensor_type_t *from, genie_reshape_group_t *group);

#endif  // GENIE_CODEGEN_KERNEL_HOOK_H_
