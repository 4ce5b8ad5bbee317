#include <math.h>
#include <string.h>

#include "codegen/kernel/hook.h"

static bool is_float(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F32 || dtype == GENIE_DTYPE_F64 || dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16;
}

static bool is_unsigned(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_U8 || dtype == GENIE_DTYPE_BOOL;
}

LLVMTypeRef genie_hook_compute_type(LLVMContextRef llvm, genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F64:
      return LLVMDoubleTypeInContext(llvm);
    case GENIE_DTYPE_I8:
    case GENIE_DTYPE_U8:
      return LLVMInt8TypeInContext(llvm);
    case GENIE_DTYPE_I16:
      return LLVMInt16TypeInContext(llvm);
    case GENIE_DTYPE_I32:
      return LLVMInt32TypeInContext(llvm);
    case GENIE_DTYPE_I64:
      return LLVMInt64TypeInContext(llvm);
    case GENIE_DTYPE_BOOL:
      return LLVMInt1TypeInContext(llvm);
    default:
      return LLVMFloatTypeInContext(llvm);
  }
}

LLVMTypeRef genie_hook_storage_type(LLVMContextRef llvm, genie_dtype_t dtype) {
  switch (dtype) {
    case GENIE_DTYPE_F16:
      return LLVMHalfTypeInContext(llvm);
    case GENIE_DTYPE_BF16:
      return LLVMInt16TypeInContext(llvm);
    case GENIE_DTYPE_BOOL:
      return LLVMInt8TypeInContext(llvm);
    default:
      return genie_hook_compute_type(llvm, dtype);
  }
}

const char *genie_hook_compute_name(genie_dtype_t dtype) {
  return dtype == GENIE_DTYPE_F16 || dtype == GENIE_DTYPE_BF16 ? "f32" : genie_dtype_name(dtype);
}

LLVMValueRef genie_hook_from_storage(genie_hook_t *hook, LLVMValueRef stored, genie_dtype_t dtype) {
  LLVMContextRef llvm = hook->state->llvm;
  LLVMBuilderRef b = hook->builder;
  switch (dtype) {
    case GENIE_DTYPE_F16:
      return LLVMBuildFPExt(b, stored, LLVMFloatTypeInContext(llvm), "");
    case GENIE_DTYPE_BF16: {
      LLVMTypeRef i32 = LLVMInt32TypeInContext(llvm);
      LLVMValueRef wide = LLVMBuildZExt(b, stored, i32, "");
      return LLVMBuildBitCast(b, LLVMBuildShl(b, wide, LLVMConstInt(i32, 16, false), ""), LLVMFloatTypeInContext(llvm),
                              "");
    }
    case GENIE_DTYPE_BOOL:
      return LLVMBuildICmp(b, LLVMIntNE, stored, LLVMConstInt(LLVMInt8TypeInContext(llvm), 0, false), "");
    default:
      return stored;
  }
}

// f32 to the upper half of its bits, to nearest even; a NaN stays one.
static LLVMValueRef round_to_bf16(genie_hook_t *hook, LLVMValueRef value) {
  LLVMContextRef llvm = hook->state->llvm;
  LLVMBuilderRef b = hook->builder;
  if (hook->lowering->target->is_cuda && !hook->lowering->target->is_emulated) {  // has an instruction for it
    LLVMValueRef narrow = LLVMBuildFPTrunc(b, value, LLVMBFloatTypeInContext(llvm), "");
    return LLVMBuildBitCast(b, narrow, LLVMInt16TypeInContext(llvm), "");
  }
  LLVMTypeRef i32 = LLVMInt32TypeInContext(llvm);
  LLVMValueRef sixteen = LLVMConstInt(i32, 16, false);
  LLVMValueRef bits = LLVMBuildBitCast(b, value, i32, "");
  LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, sixteen, ""), LLVMConstInt(i32, 1, false), "");
  LLVMValueRef bias = LLVMBuildAdd(b, odd, LLVMConstInt(i32, 0x7fff, false), "");
  LLVMValueRef rounded = LLVMBuildAdd(b, bits, bias, "");
  LLVMValueRef quiet = LLVMBuildOr(b, bits, LLVMConstInt(i32, 0x400000, false), "");
  LLVMValueRef is_nan = LLVMBuildFCmp(b, LLVMRealUNO, value, value, "");
  LLVMValueRef chosen = LLVMBuildSelect(b, is_nan, quiet, rounded, "");
  return LLVMBuildTrunc(b, LLVMBuildLShr(b, chosen, sixteen, ""), LLVMInt16TypeInContext(llvm), "");
}

LLVMValueRef genie_hook_to_storage(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype) {
  LLVMContextRef llvm = hook->state->llvm;
  switch (dtype) {
    case GENIE_DTYPE_F16:
      return LLVMBuildFPTrunc(hook->builder, value, LLVMHalfTypeInContext(llvm), "");
    case GENIE_DTYPE_BF16:
      return round_to_bf16(hook, value);
    case GENIE_DTYPE_BOOL:
      return LLVMBuildZExt(hook->builder, value, LLVMInt8TypeInContext(llvm), "");
    default:
      return value;
  }
}

// A float of compute type to an integer by truncation, through a width that holds all values of the target; out of
// range it is some value, not undefined.
static LLVMValueRef float_to_integer(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t to) {
  LLVMContextRef llvm = hook->state->llvm;
  LLVMTypeRef type = genie_hook_compute_type(llvm, to);
  LLVMTypeRef wide = to == GENIE_DTYPE_I64 ? LLVMInt64TypeInContext(llvm) : LLVMInt32TypeInContext(llvm);
  LLVMValueRef number = LLVMBuildFreeze(hook->builder, LLVMBuildFPToSI(hook->builder, value, wide, ""), "");
  return type == wide ? number : LLVMBuildTrunc(hook->builder, number, type, "");
}

static LLVMValueRef integer_to_integer(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t from, LLVMTypeRef type) {
  const unsigned from_bits = LLVMGetIntTypeWidth(LLVMTypeOf(value)), to_bits = LLVMGetIntTypeWidth(type);
  if (from_bits == to_bits) {
    return value;
  }
  if (from_bits > to_bits) {
    return LLVMBuildTrunc(hook->builder, value, type, "");
  }
  return is_unsigned(from) ? LLVMBuildZExt(hook->builder, value, type, "")
                           : LLVMBuildSExt(hook->builder, value, type, "");
}

static LLVMValueRef float_to_float(genie_hook_t *hook, LLVMValueRef value, LLVMTypeRef type) {
  LLVMTypeRef from = LLVMTypeOf(value);
  if (from == type) {
    return value;
  }
  return LLVMGetTypeKind(type) == LLVMDoubleTypeKind ? LLVMBuildFPExt(hook->builder, value, type, "")
                                                     : LLVMBuildFPTrunc(hook->builder, value, type, "");
}

LLVMValueRef genie_hook_cast(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t from, genie_dtype_t to) {
  LLVMTypeRef type = genie_hook_compute_type(hook->state->llvm, to);
  if (from == to) {
    return value;
  }
  if (to == GENIE_DTYPE_BOOL) {
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(value));
    return is_float(from) ? LLVMBuildFCmp(hook->builder, LLVMRealUNE, value, zero, "")
                          : LLVMBuildICmp(hook->builder, LLVMIntNE, value, zero, "");
  }
  if (is_float(from) && is_float(to)) {
    LLVMValueRef result = float_to_float(hook, value, type);
    // A cast to a narrow float is where a model asks for its rounding.
    const bool is_narrow = to == GENIE_DTYPE_F16 || to == GENIE_DTYPE_BF16;
    return is_narrow ? genie_hook_from_storage(hook, genie_hook_to_storage(hook, result, to), to) : result;
  }
  if (is_float(from)) {
    return float_to_integer(hook, value, to);
  }
  if (is_float(to)) {
    return is_unsigned(from) ? LLVMBuildUIToFP(hook->builder, value, type, "")
                             : LLVMBuildSIToFP(hook->builder, value, type, "");
  }
  return integer_to_integer(hook, value, from, type);
}

LLVMValueRef genie_hook_to_declared(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype, LLVMTypeRef type) {
  const bool is_integer = LLVMGetTypeKind(type) == LLVMIntegerTypeKind;
  if (is_float(dtype)) {
    return is_integer ? float_to_integer(hook, value, GENIE_DTYPE_I64) : float_to_float(hook, value, type);
  }
  if (is_integer) {
    return integer_to_integer(hook, value, dtype, type);
  }
  return is_unsigned(dtype) ? LLVMBuildUIToFP(hook->builder, value, type, "")
                            : LLVMBuildSIToFP(hook->builder, value, type, "");
}

LLVMValueRef genie_hook_from_declared(genie_hook_t *hook, LLVMValueRef value, genie_dtype_t dtype) {
  LLVMTypeRef type = genie_hook_compute_type(hook->state->llvm, dtype);
  const bool is_integer = LLVMGetTypeKind(LLVMTypeOf(value)) == LLVMIntegerTypeKind;
  if (dtype == GENIE_DTYPE_BOOL) {
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(value));
    return is_integer ? LLVMBuildICmp(hook->builder, LLVMIntNE, value, zero, "")
                      : LLVMBuildFCmp(hook->builder, LLVMRealUNE, value, zero, "");
  }
  if (is_float(dtype)) {
    return is_integer ? LLVMBuildSIToFP(hook->builder, value, type, "") : float_to_float(hook, value, type);
  }
  return is_integer ? integer_to_integer(hook, value, GENIE_DTYPE_I64, type) : float_to_integer(hook, value, dtype);
}

LLVMValueRef genie_hook_number(genie_hook_t *hook, genie_dtype_t dtype, double number) {
  LLVMTypeRef type = genie_hook_compute_type(hook->state->llvm, dtype);
  if (is_float(dtype)) {
    return LLVMConstReal(type, number);
  }
  if (dtype == GENIE_DTYPE_BOOL) {
    return LLVMConstInt(type, number != 0, false);
  }
  // -9.3e18 and beyond, and NaN, have no integer; the bounds stand for them.
  const int64_t whole = number >= 9.2233720368547758e18   ? INT64_MAX
                        : number > -9.2233720368547758e18 ? (int64_t)number
                                                          : INT64_MIN;
  return LLVMConstInt(type, (unsigned long long)(isnan(number) ? 0 : whole), true);
}
