// What a LIBRARY_CALL instruction means: the slices and dims of each function that library_call.def lists.
//
// A call names its function by its kernel record's template_name. Its slices are tensors in the order below, its dims
// are numbers in the order of the enumerations below. Dims up to the one marked "constants from here" are sizes, in
// elements where nothing else is said, and may be any expression of the entry; those after it choose the algorithm and
// are common constants. The instruction's grid is the constant 1.
//
// Element types are numbers of genie/dtype.def. Sums run in f32 for f16, bf16 and f32, in f64 for f64.
#ifndef GENIE_RUNTIME_PLAN_LIBRARY_CALL_H_
#define GENIE_RUNTIME_PLAN_LIBRARY_CALL_H_

#include <stdint.h>

// What is added to a product before the activation: bits of the FLAGS dim. A tensor that is there follows the fixed
// slices, the bias first.
enum {
  GENIE_LIBRARY_HAS_BIAS = 1,
  GENIE_LIBRARY_HAS_RESIDUAL = 2,
};

// What is done to the sum: the ACTIVATION dim.
typedef enum genie_library_activation {
  GENIE_LIBRARY_ACTIVATION_NONE = 0,
  GENIE_LIBRARY_ACTIVATION_RELU = 1,
  GENIE_LIBRARY_ACTIVATION_GELU_TANH = 2,  // the tanh approximation; erf's gelu is a kernel of its own
} genie_library_activation_t;

// How f32 operands are multiplied: the MATH dim. Other types ignore it.
typedef enum genie_library_math {
  GENIE_LIBRARY_MATH_EXACT = 0,  // f32 stays f32
  GENIE_LIBRARY_MATH_TF32 = 1,   // operands may be rounded to TF32
} genie_library_math_t;

// "cublaslt.matmul": d[i] = activation(alpha * op(a[i]) * op(b[i]) + residual[i] + bias), i < BATCH.
//
// Slices: a (read), b (read), d (write), then bias [N] (read) and residual (read) as FLAGS says. Residual has d's
// shape, strides and type; it may be d's own memory, whose slice then is read and written. Bias has d's type and is the
// same for every row and i. op(a) is [M, K] and op(b) is [K, N]; a matrix is row-major, or, transposed, stored as its
// transpose: a linear's weight [N, K] is a transposed b. *_ROW_STRIDE is from one stored row to the next (at least the
// stored row's length),
// *_BATCH_STRIDE from one matrix to the next (0: the same matrix for every i).
// K is at least 1; M, N or BATCH of 0 does nothing. a and b have one type; D_TYPE is that type or f32.
enum {
  GENIE_LIBRARY_MATMUL_BATCH,
  GENIE_LIBRARY_MATMUL_M,
  GENIE_LIBRARY_MATMUL_N,
  GENIE_LIBRARY_MATMUL_K,
  GENIE_LIBRARY_MATMUL_A_ROW_STRIDE,
  GENIE_LIBRARY_MATMUL_A_BATCH_STRIDE,
  GENIE_LIBRARY_MATMUL_B_ROW_STRIDE,
  GENIE_LIBRARY_MATMUL_B_BATCH_STRIDE,
  GENIE_LIBRARY_MATMUL_D_ROW_STRIDE,
  GENIE_LIBRARY_MATMUL_D_BATCH_STRIDE,
  GENIE_LIBRARY_MATMUL_A_IS_TRANSPOSED,  // constants from here: 0 or 1
  GENIE_LIBRARY_MATMUL_B_IS_TRANSPOSED,
  GENIE_LIBRARY_MATMUL_TYPE,  // of a and b: f16, bf16, f32 or f64
  GENIE_LIBRARY_MATMUL_D_TYPE,
  GENIE_LIBRARY_MATMUL_FLAGS,
  GENIE_LIBRARY_MATMUL_ACTIVATION,
  GENIE_LIBRARY_MATMUL_MATH,
  GENIE_LIBRARY_MATMUL_ALPHA_BITS,  // the bits of alpha as a double
  GENIE_LIBRARY_MATMUL_DIM_COUNT,
};

// "cudnn.conv": y = activation(conv(x, w) + bias + residual), two spatial dimensions, channels last.
//
// Slices: x [N, H, W, C] (read), w [K, R, S, C / GROUPS] (read), y [N, P, Q, K] (write), then bias [K] (read) and
// residual (read), of y's shape, as FLAGS says. All are dense and of one type.
// P = (H + PAD_TOP + PAD_BOTTOM - DILATION_H * (R - 1) - 1) / STRIDE_H + 1 rounded down, Q likewise. It is a
// cross-correlation, as in PyTorch. N of 0 does nothing.
enum {
  GENIE_LIBRARY_CONV_N,
  GENIE_LIBRARY_CONV_H,
  GENIE_LIBRARY_CONV_W,
  GENIE_LIBRARY_CONV_C,
  GENIE_LIBRARY_CONV_K,         // output channels
  GENIE_LIBRARY_CONV_R,         // kernel height
  GENIE_LIBRARY_CONV_S,         // kernel width
  GENIE_LIBRARY_CONV_STRIDE_H,  // constants from here
  GENIE_LIBRARY_CONV_STRIDE_W,
  GENIE_LIBRARY_CONV_PAD_TOP,
  GENIE_LIBRARY_CONV_PAD_LEFT,
  GENIE_LIBRARY_CONV_PAD_BOTTOM,
  GENIE_LIBRARY_CONV_PAD_RIGHT,
  GENIE_LIBRARY_CONV_DILATION_H,
  GENIE_LIBRARY_CONV_DILATION_W,
  GENIE_LIBRARY_CONV_GROUPS,
  GENIE_LIBRARY_CONV_TYPE,  // f16, bf16 or f32
  GENIE_LIBRARY_CONV_FLAGS,
  GENIE_LIBRARY_CONV_ACTIVATION,  // none or relu
  GENIE_LIBRARY_CONV_MATH,
  GENIE_LIBRARY_CONV_DIM_COUNT,
};

// "cudnn.sdpa": o = softmax(scale q k^T) v, in one kernel.
//
// Slices: q [B, H, L, E] (read), k [B, G, S, E] (read), v [B, G, S, D] (read), o [B, H, L, D] (write); each by its
// strides, the last dimension dense. H is a multiple of G. IS_CAUSAL keeps key j for query i where j <= i; cuDNN's
// single operation has no such mask yet, and a device answers UNIMPLEMENTED.
enum {
  GENIE_LIBRARY_SDPA_B,
  GENIE_LIBRARY_SDPA_H,
  GENIE_LIBRARY_SDPA_G,
  GENIE_LIBRARY_SDPA_L,
  GENIE_LIBRARY_SDPA_S,
  GENIE_LIBRARY_SDPA_E,
  GENIE_LIBRARY_SDPA_D,
  GENIE_LIBRARY_SDPA_Q_BATCH_STRIDE,
  GENIE_LIBRARY_SDPA_Q_HEAD_STRIDE,
  GENIE_LIBRARY_SDPA_Q_ROW_STRIDE,
  GENIE_LIBRARY_SDPA_K_BATCH_STRIDE,
  GENIE_LIBRARY_SDPA_K_HEAD_STRIDE,
  GENIE_LIBRARY_SDPA_K_ROW_STRIDE,
  GENIE_LIBRARY_SDPA_V_BATCH_STRIDE,
  GENIE_LIBRARY_SDPA_V_HEAD_STRIDE,
  GENIE_LIBRARY_SDPA_V_ROW_STRIDE,
  GENIE_LIBRARY_SDPA_O_BATCH_STRIDE,
  GENIE_LIBRARY_SDPA_O_HEAD_STRIDE,
  GENIE_LIBRARY_SDPA_O_ROW_STRIDE,
  GENIE_LIBRARY_SDPA_TYPE,  // constants from here: f16 or bf16
  GENIE_LIBRARY_SDPA_IS_CAUSAL,
  GENIE_LIBRARY_SDPA_SCALE_BITS,  // the bits of scale as a double
  GENIE_LIBRARY_SDPA_DIM_COUNT,
};

typedef enum genie_library_function {
#define GENIE_LIBRARY_FUNCTION(enumerator, name, dims, least_slices, most_slices) GENIE_LIBRARY_##enumerator,
#include "runtime/plan/library_call.def"
#undef GENIE_LIBRARY_FUNCTION
  GENIE_LIBRARY_FUNCTION_COUNT,
} genie_library_function_t;

#endif  // GENIE_RUNTIME_PLAN_LIBRARY_CALL_H_
