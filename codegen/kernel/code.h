// The machine code of a module's kernels and how each `genie.kernel` launches it: what codegen/plan and codegen/emit
// read of a genie_codegen_code_t.
//
// Everything here belongs to the code object and is immutable after genie_codegen_kernels(); operations and expressions
// belong to the module and its context, which outlive it.
#ifndef GENIE_CODEGEN_KERNEL_CODE_H_
#define GENIE_CODEGEN_KERNEL_CODE_H_

#include "codegen/codegen.h"

enum { GENIE_CODE_MAX_LIBRARY_ARGUMENTS = 8 };

// One distinct kernel. Equal kernels of a module (the layers of a transformer) share one.
typedef struct genie_code_kernel {
  const char *name;           // "softmax_3", unique in the code object
  const char *template_name;  // "softmax_f32": the C template it was made of
  const char *family;         // "row"
  int input_count;            // arguments: the inputs of the genie.kernel in order, then its outputs
  int output_count;
  int dim_count;           // run-time sizes that the frame carries
  uint64_t scratch_bytes;  // private memory of each worker, for the upper bounds of all symbols
  // A function of a vendor's library, which template_name names: no target has code for it, dims are its parameters,
  // and its operands are `arguments` [argument_count], each the number of an input or, behind the inputs, of an output.
  bool is_library;
  int argument_count;
  int arguments[GENIE_CODE_MAX_LIBRARY_ARGUMENTS];
  // For each output, a bit mask of inputs (bit i: input i below 64) whose memory it may take over: the kernel is right
  // when exactly that one input and this output have the same address. All other arguments are disjoint from outputs.
  uint64_t in_place[GENIE_IR_MAX_RESULTS];
} genie_code_kernel_t;

// How one `genie.kernel` operation launches its kernel.
typedef struct genie_code_launch {
  MlirOperation op;            // the genie.kernel
  int kernel;                  // index into kernels
  const MlirAffineExpr *dims;  // [kernel.dim_count], over the symbols of the enclosing function
  MlirAffineExpr grid;         // tasks; 0 tasks do nothing. May hold floordiv, ceildiv and mod by constants
  int64_t grain;               // fewer tasks than this are not worth a further thread; at least 1
  double flops;                // for the upper bounds of all symbols; a report, not a contract
} genie_code_launch_t;

// The code of all kernels for one target. For a CPU: position-independent code and read-only data in one image that
// refers to nothing outside itself and runs at any address that is a multiple of 4096. For "cuda": an image of
// runtime/plan/cuda_image.h.
typedef struct genie_code_target {
  const char *name;         // "x86-64-v4"
  const char *device_kind;  // "cpu", "cuda"
  const char *features;     // what the code needs: CPU features as in /proc/cpuinfo, comma-separated, or "sm_90"
  const uint8_t *code;
  uint64_t code_bytes;
  const uint64_t *offsets;  // [kernel_count]: entry points, or records, from the start of `code`; GENIE_PLAN_NO_CODE
} genie_code_target_t;

struct genie_codegen_code {
  int kernel_count;
  genie_code_kernel_t *kernels;
  int launch_count;
  genie_code_launch_t *launches;  // in the order of the operations in the module
  int target_count;
  genie_code_target_t *targets;        // least demanding first
  struct genie_code_storage *storage;  // what the pointers above point into
};

// The launch of a genie.kernel operation; NULL when the code object was not made from it.
const genie_code_launch_t *genie_code_find_launch(const genie_codegen_code_t *code, MlirOperation kernel_op);

#endif  // GENIE_CODEGEN_KERNEL_CODE_H_
