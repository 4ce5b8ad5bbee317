// From one `genie.kernel` to a C template with hooks: what a family's lowering (lower_<family>.c) is written with.
//
// A lowering reads the region, chooses a template, says how large the grid is, and defines the hooks that the template
// declares. A hook is a function of the template's LLVM module:
//
//     i64   genie_rows(const genie_kernel_frame_t *frame);                            a size
//     const float *genie_lhs(const genie_kernel_frame_t *frame, i64 i0, ...);         the address of an element
//     float genie_x(const genie_kernel_frame_t *frame, i64 i0, ...);                  a value at an index
//     void  genie_store(const genie_kernel_frame_t *frame, i64 i0, ..., float acc);   the epilogue with all stores
//
// Its first parameter is always the frame; the template's declaration gives name, arity and types, and a hook that the
// template does not use is not made. Values are in their *compute type*: f32 for f32, f16 and bf16; f64; i8, i16, i32,
// i64 and u8 as the C integer; bool as uint8_t that is 0 or 1. Where template and value differ, floats and integers are
// converted. Hooks are inlined, and what they read is loop-invariant where its index is, so a template calls them in
// its innermost loops, which carry `#pragma clang loop vectorize(assume_safety)`.
//
// Loads of storage types convert to the compute type, stores round to nearest even; values between fused ops stay in
// the compute type. A lowering runs once a target; grid, grain, dims and scratch must be the same for every target.
//
// A lowering answers UNIMPLEMENTED (genie_lower_unimplemented) for what its templates cannot do; everything here is
// single-threaded and lives until the lowering returns.
#ifndef GENIE_CODEGEN_KERNEL_LOWERING_H_
#define GENIE_CODEGEN_KERNEL_LOWERING_H_

#include "ir/genie_ir.h"
#include "ir/strided_view.h"

enum { GENIE_LOWER_MAX_DIMS = 64, GENIE_LOWER_MAX_VECTOR = 8 };

// A target as templates see it.
typedef struct genie_lower_target {
  const char *name;   // "x86-64-v4"
  int vector_bytes;   // 64: width of a vector register
  int vector_count;   // 32: how many there are
  bool is_cuda;       // templates are those of codegen/templates/cuda, a task is a thread block
  bool is_emulated;   // on a CPU
  bool has_clusters;  // blocks of a cluster read one another's shared memory
} genie_lower_target_t;

// A kernel under construction.
typedef struct genie_lowering {
  // Given.
  MlirContext context;
  MlirOperation op;        // the genie.kernel
  MlirOperation function;  // the entry that holds it: its symbols
  MlirBlock body;          // block argument i is input i
  MlirOperation yield;     // operand r is output r
  MlirOperation anchor;    // the op whose lower rule is the family; null for pointwise
  const genie_lower_target_t *target;
  double weight_bytes;  // that the module's kernels read whole: all weights but those that are looked up in

  // Decided by the family's lowering, before its first hook: what else than epilogue operands may be overwritten.
  bool is_elementwise_anchor;  // the template reads the anchor's operands of its shape at an index, for the last time,
                               // before it stores that index, in the same task
  uint64_t in_place[GENIE_IR_MAX_RESULTS];  // for each output, further inputs whose memory it may take over (code.h)

  // Decided by the family's lowering.
  MlirAffineExpr grid;     // number of tasks; default 1
  int64_t grain;           // least tasks worth a thread; default 1
  uint64_t scratch_bytes;  // of each worker; default 0. Bound dynamic sizes by genie_lower_maximum()

  // Decided by the family's lowering, of a kernel for a GPU, where there is no scratch.
  int threads;            // of a block; default 256. The hook genie_threads() says it
  uint32_t shared_bytes;  // of dynamic shared memory
  int cluster;            // neighbouring blocks that are one cluster, where the target has them; default 1, and as many
                          // for every target. It divides the grid

  struct genie_lowering_state *state;  // private to codegen/kernel
} genie_lowering_t;

typedef genie_status_t (*genie_lowering_fn_t)(genie_lowering_t *lowering);

// UNIMPLEMENTED, with the kernel's source location, family and `reason`.
genie_status_t genie_lower_unimplemented(const genie_lowering_t *lowering, const char *reason) GENIE_MUST_USE;

// Loads the template; called once, before the first hook. Names are listed in codegen/templates/templates.cmake.
genie_status_t genie_lower_use_template(genie_lowering_t *lowering, const char *name) GENIE_MUST_USE;

// The template `stem`_f32, _f64 or _i64: the one that computes with values of `dtype`.
genie_status_t genie_lower_use_typed_template(genie_lowering_t *lowering, const char *stem,
                                              genie_dtype_t dtype) GENIE_MUST_USE;
// "f32", "f64" or "i64".
const char *genie_lower_real_name(genie_dtype_t dtype);

//===-- Index spaces ----------------------------------------------------------------------------------------------===//

// How the index arguments of a hook name an element. The space has the dimensions `dims`; argument a covers the next
// `arg_dims[a]` of them as one row-major linear index (0: the argument is ignored). A value of lower rank or with
// dimensions of size 1 is broadcast into the space.
typedef struct genie_lower_space {
  int rank;
  MlirAffineExpr dims[GENIE_IR_MAX_RANK];
  int order[GENIE_IR_MAX_RANK];  // which dimension of the value dims[k] is: the identity unless a caller permutes them
  int arg_count;
  int arg_dims[GENIE_IR_MAX_RANK];
} genie_lower_space_t;

// The space of a tensor type with one argument a dimension, or, in genie_lower_space_split, with one argument for each
// entry of `arg_dims`, as in {rank - 1, 1} for (row, column).
genie_lower_space_t genie_lower_space_of(MlirType type);
genie_lower_space_t genie_lower_space_split(MlirType type, int arg_count, const int *arg_dims);

//===-- Hooks -----------------------------------------------------------------------------------------------------===//

// `i64 name(frame)`: a constant, or a size that the launch passes.
genie_status_t genie_lower_define_size(genie_lowering_t *lowering, const char *name,
                                       MlirAffineExpr size) GENIE_MUST_USE;
// `T name(frame)`: constants of an integer or float type.
genie_status_t genie_lower_define_i64(genie_lowering_t *lowering, const char *name, int64_t value) GENIE_MUST_USE;
genie_status_t genie_lower_define_f64(genie_lowering_t *lowering, const char *name, double value) GENIE_MUST_USE;

// `void name(..)` that does nothing.
genie_status_t genie_lower_define_nothing(genie_lowering_t *lowering, const char *name) GENIE_MUST_USE;

// `T *name(frame, i0, ..)`: the address of an element of a strided view whose root is a block argument or a constant.
// The pointer has the storage type of the root. Strides for C loops come from
// genie_lower_define_size(view->strides[d]).
genie_status_t genie_lower_define_address(genie_lowering_t *lowering, const char *name,
                                          const genie_strided_view_t *view,
                                          const genie_lower_space_t *space) GENIE_MUST_USE;

// `T name(frame, i0, ..)`: `value` at an index, through its whole prologue.
genie_status_t genie_lower_define_load(genie_lowering_t *lowering, const char *name, MlirValue value,
                                       const genie_lower_space_t *space) GENIE_MUST_USE;

// As above, of `value` cast to `dtype`.
genie_status_t genie_lower_define_load_as(genie_lowering_t *lowering, const char *name, MlirValue value,
                                          genie_dtype_t dtype, const genie_lower_space_t *space) GENIE_MUST_USE;

// `void name(frame, i0, .., T acc)`: takes the anchor's result at an index and stores every output that depends on it,
// and every output that depends on no result of the anchor. `space` has the dimensions of the anchor's result. The
// template calls it exactly once for each index.
genie_status_t genie_lower_define_store(genie_lowering_t *lowering, const char *name,
                                        const genie_lower_space_t *space) GENIE_MUST_USE;
// As above for `vector` (2, 4 or 8) neighbours along the last argument, a multiple of `vector`, at once: `void
// name_<vector>(frame, i0, .., T acc0, T acc1, ..)`. It computes all values before it stores any, so that a device can
// join the accesses.
genie_status_t genie_lower_define_store_vector(genie_lowering_t *lowering, const char *name, int vector,
                                               const genie_lower_space_t *space) GENIE_MUST_USE;
// As above for an anchor with several results: `void name(frame, i0, .., T0 acc0, T1 acc1, ..)` takes results
// [first, first + count), which have one shape, and stores the outputs that depend on any of them.
genie_status_t genie_lower_define_store_results(genie_lowering_t *lowering, const char *name, int first, int count,
                                                const genie_lower_space_t *space) GENIE_MUST_USE;

// `T name(frame, i0, ..)`: what output `output` holds now.
genie_status_t genie_lower_define_output_load(genie_lowering_t *lowering, const char *name, int output,
                                              const genie_lower_space_t *space) GENIE_MUST_USE;
// `i64 name(frame)`: whether `x` is an argument that has the address of output `output`.
genie_status_t genie_lower_define_same_memory(genie_lowering_t *lowering, const char *name, MlirValue x,
                                              int output) GENIE_MUST_USE;

// `void name_<vector>(frame, i0, .., T *out)`: as genie_lower_define_load(), at `vector` (2, 4 or 8) neighbours along
// the last argument, which is a multiple of `vector`.
genie_status_t genie_lower_define_load_vector(genie_lowering_t *lowering, const char *name, int vector, MlirValue value,
                                              const genie_lower_space_t *space) GENIE_MUST_USE;

//===-- Reading the region ----------------------------------------------------------------------------------------===//

// genie_strided_view_of() with the layout of the root: false where `value` is no strided view of a block argument or
// constant.
bool genie_lower_view(const genie_lowering_t *lowering, MlirValue value, genie_strided_view_t *out_view);

// The storage dtype and the largest number of elements of a tensor value.
genie_dtype_t genie_lower_dtype(MlirValue value);
// Greatest and least value of a size over the ranges of the function's symbols.
int64_t genie_lower_maximum(const genie_lowering_t *lowering, MlirAffineExpr size);
int64_t genie_lower_minimum(const genie_lowering_t *lowering, MlirAffineExpr size);
// ceil(size / divisor) and size products as expressions; genie_dim_mul() and genie_dim_add() do the rest.
MlirAffineExpr genie_lower_ceildiv(MlirAffineExpr size, int64_t divisor);

// A grain that gives each thread some 20 microseconds of work, from the scalar operations of one task.
int64_t genie_lower_grain(double operations_per_task);

#endif  // GENIE_CODEGEN_KERNEL_LOWERING_H_
