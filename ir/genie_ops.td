// The op table of the `genie` dialect: one record an op. genie_base.td documents the columns.
#ifndef GENIE_OPS_TD
#define GENIE_OPS_TD

include "genie_base.td"

//===-- Structure -------------------------------------------------------------------------------------------------===//

def Genie_WeightOp : Genie_Op<"weight", [Symbol]> {
  let summary = "Names the bytes of a weight in a file";
  let description = [{
    A module-level symbol. The bytes stay in `file` (a path that the importer opened) from byte `offset` of member
    `member`; `strides` (in elements) may describe a view of a shared storage. Equal (file, offset, strides) are shared.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, StrAttr:$file, I64Attr:$offset,
                   DenseI64ArrayAttr:$strides);
  let assemblyFormat = "$sym_name attr-dict `:` $type";
  let shapeRule = "none"; let costRule = "none"; let lowerRule = "none"; let importRule = "none";
}

def Genie_StateOp : Genie_Op<"state", [Symbol]> {
  let summary = "Names a tensor that lives on its device across calls";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, OptionalAttr<FlatSymbolRefAttr>:$initial);
  let assemblyFormat = "$sym_name attr-dict `:` $type";
  let shapeRule = "none"; let costRule = "none"; let lowerRule = "none"; let importRule = "none";
}

def Genie_StateUpdateOp : Genie_Op<"state_update", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Makes `value` the content of a state from here on";
  let arguments = (ins AnyRankedTensor:$value, FlatSymbolRefAttr:$state);
  let assemblyFormat = "$value `,` $state attr-dict `:` type($value)";
  let shapeRule = "none"; let costRule = "view"; let lowerRule = "state_update"; let importRule = "none";
}

def Genie_KernelOp : Genie_Op<"kernel", [IsolatedFromAbove, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "A group of ops that one kernel computes";
  let description = [{
    Made by the fuse passes. The block's arguments stand for the operands; `genie.yield` names the results. `family` is
    the template family ("pointwise", "row", "gemm", "conv", "attention", ...). At most one op in the region, the
    anchor, is not pointwise or a view; ops before it are its prologue, ops after it its epilogue. `layouts` gives for
    each result the physical order of its dimensions, outermost first ([0, 2, 3, 1] is channels-last).
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, StrAttr:$family, OptionalAttr<ArrayAttr>:$layouts);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$family `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs) $body";
  let shapeRule = "none"; let costRule = "kernel"; let lowerRule = "kernel"; let importRule = "none";
}

def Genie_YieldOp : Genie_Op<"yield", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "Names the results of a kernel";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
  let shapeRule = "none"; let costRule = "none"; let lowerRule = "none"; let importRule = "none";
}

def Genie_PackOp : Genie_PureOp<"pack"> {
  let summary = "A weight in the layout that a kernel template wants; evaluated when the plan is made";
  let description = [{
    `format` names the packing ("panel_n": [ceil(N/width)][K][width] with zero padding, ...), `width` its panel width.
    The result type is the packed shape.
  }];
  let arguments = (ins AnyRankedTensor:$x, StrAttr:$format, I64Attr:$width,
                   DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "pack"; let costRule = "none"; let lowerRule = "weight"; let importRule = "none";
}

def Genie_UnpackOp : Genie_PureOp<"unpack"> {
  let summary = "The weight that a packed weight holds: only inside a kernel, where it tells the template the layout";
  let arguments = (ins AnyRankedTensor:$x, StrAttr:$format, I64Attr:$width,
                   DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "unpack"; let costRule = "none"; let lowerRule = "view"; let importRule = "none";
}

def Genie_TransferOp : Genie_PureOp<"transfer"> {
  let summary = "A copy of a tensor at another place";
  let arguments = (ins AnyRankedTensor:$x, StrAttr:$place);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "elementwise"; let costRule = "transfer"; let lowerRule = "transfer"; let importRule = "none";
}

def Genie_ConstantOp : Genie_PureOp<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "A small literal; weights are genie.weight";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict $value";
  let shapeRule = "stated"; let costRule = "none"; let lowerRule = "constant"; let importRule = "none";
  let hasFolder = 1;
}

def Genie_SizeOp : Genie_PureOp<"size"> {
  let summary = "A size expression over the function's symbols, as a 0-d i64 tensor";
  let arguments = (ins AffineMapAttr:$expression);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict $expression `:` type($result)";
  let shapeRule = "size"; let costRule = "none"; let lowerRule = "pointwise"; let importRule = "none";
}

def Genie_IotaOp : Genie_PureOp<"iota"> {
  let summary = "start + step * index along `axis`";
  let arguments = (ins F64Attr:$start, F64Attr:$step, DefaultValuedAttr<I64Attr, "0">:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "iota"; let costRule = "none"; let lowerRule = "pointwise";
  let aten = ["arange.default", "arange.start", "arange.start_step"];
  let importRule = "iota";
}

//===-- Pointwise -------------------------------------------------------------------------------------------------===//

def Genie_ReluOp : Genie_UnaryOp<"relu", "max(x, 0)">;
def Genie_SiluOp : Genie_UnaryOp<"silu", "x * sigmoid(x)">;
def Genie_SigmoidOp : Genie_UnaryOp<"sigmoid", "1 / (1 + exp(-x))"> {
  let aten = ["sigmoid.default", "special_expit.default"];
}
def Genie_TanhOp : Genie_UnaryOp<"tanh", "Hyperbolic tangent">;
def Genie_ExpOp : Genie_UnaryOp<"exp", "e^x">;
def Genie_Expm1Op : Genie_UnaryOp<"expm1", "e^x - 1">;
def Genie_LogOp : Genie_UnaryOp<"log", "Natural logarithm">;
def Genie_Log1pOp : Genie_UnaryOp<"log1p", "log(1 + x)">;
def Genie_Log2Op : Genie_UnaryOp<"log2", "Base-2 logarithm">;
def Genie_Log10Op : Genie_UnaryOp<"log10", "Base-10 logarithm">;
def Genie_SqrtOp : Genie_UnaryOp<"sqrt", "Square root">;
def Genie_RsqrtOp : Genie_UnaryOp<"rsqrt", "1 / sqrt(x)">;
def Genie_AbsOp : Genie_UnaryOp<"abs", "Absolute value"> {
  let aten = ["abs.default", "absolute.default"];
}
def Genie_NegOp : Genie_UnaryOp<"neg", "-x"> {
  let aten = ["neg.default", "negative.default"];
}
def Genie_SignOp : Genie_UnaryOp<"sign", "-1, 0 or 1">;
def Genie_SinOp : Genie_UnaryOp<"sin", "Sine">;
def Genie_CosOp : Genie_UnaryOp<"cos", "Cosine">;
def Genie_TanOp : Genie_UnaryOp<"tan", "Tangent">;
def Genie_AtanOp : Genie_UnaryOp<"atan", "Arc tangent"> {
  let aten = ["atan.default", "arctan.default"];
}
def Genie_ErfOp : Genie_UnaryOp<"erf", "Error function">;
def Genie_FloorOp : Genie_UnaryOp<"floor", "Largest integer not above x">;
def Genie_CeilOp : Genie_UnaryOp<"ceil", "Smallest integer not below x">;
def Genie_RoundOp : Genie_UnaryOp<"round", "Nearest integer, ties to even">;
def Genie_TruncOp : Genie_UnaryOp<"trunc", "Integer part"> {
  let aten = ["trunc.default", "fix.default"];
}
def Genie_ReciprocalOp : Genie_UnaryOp<"reciprocal", "1 / x">;
def Genie_LogicalNotOp : Genie_UnaryOp<"logical_not", "True where x is zero"> {
  let shapeRule = "predicate";
  let aten = ["logical_not.default"];
  let importRule = "predicate";
}
def Genie_BitwiseNotOp : Genie_UnaryOp<"bitwise_not", "Complement of every bit; of a bool, logical not">;
def Genie_IsnanOp : Genie_UnaryOp<"isnan", "True where x is not a number"> {
  let shapeRule = "predicate";
  let aten = ["isnan.default"];
  let importRule = "predicate";
}
def Genie_IsinfOp : Genie_UnaryOp<"isinf", "True where x is infinite"> {
  let shapeRule = "predicate";
  let aten = ["isinf.default"];
  let importRule = "predicate";
}
def Genie_HardswishOp : Genie_UnaryOp<"hardswish", "x * clamp(x + 3, 0, 6) / 6">;
def Genie_HardsigmoidOp : Genie_UnaryOp<"hardsigmoid", "clamp(x + 3, 0, 6) / 6">;
def Genie_MishOp : Genie_UnaryOp<"mish", "x * tanh(softplus(x))">;

def Genie_GeluOp : Genie_UnaryOp<"gelu", "x * Phi(x), or its tanh approximation"> {
  let arguments = (ins AnyRankedTensor:$x, DefaultValuedAttr<StrAttr, "\"none\"">:$approximate);
  let aten = ["gelu.default(x:self, approximate)"];
  let importRule = "direct";
}
def Genie_SoftplusOp : Genie_UnaryOp<"softplus", "log(1 + exp(beta x)) / beta; x above threshold / beta"> {
  let arguments = (ins AnyRankedTensor:$x, DefaultValuedAttr<F64Attr, "1.0">:$beta,
                   DefaultValuedAttr<F64Attr, "20.0">:$threshold);
  let aten = ["softplus.default(x:self, beta, threshold)"];
  let importRule = "direct";
}
def Genie_EluOp : Genie_UnaryOp<"elu", "scale x if x > 0, else scale alpha (exp(input_scale x) - 1)"> {
  let arguments = (ins AnyRankedTensor:$x, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
                   DefaultValuedAttr<F64Attr, "1.0">:$scale, DefaultValuedAttr<F64Attr, "1.0">:$input_scale);
  let aten = ["elu.default(x:self, alpha, scale, input_scale)"];
  let importRule = "direct";
}
def Genie_LeakyReluOp : Genie_UnaryOp<"leaky_relu", "x if x > 0, else negative_slope x"> {
  let arguments = (ins AnyRankedTensor:$x, DefaultValuedAttr<F64Attr, "0.01">:$negative_slope);
  let aten = ["leaky_relu.default(x:self, negative_slope)"];
  let importRule = "direct";
}
def Genie_ClampOp : Genie_UnaryOp<"clamp", "min(max(x, minimum), maximum); NaN stays"> {
  let arguments = (ins AnyRankedTensor:$x, OptionalAttr<F64Attr>:$minimum, OptionalAttr<F64Attr>:$maximum);
  let aten = ["clamp.default", "clip.default", "clamp_min.default", "clamp_max.default", "hardtanh.default",
                "relu6.default"];
  let importRule = "clamp";
}
def Genie_CastOp : Genie_UnaryOp<"cast", "Conversion to the result's element type, as PyTorch converts"> {
  let shapeRule = "cast";
  let aten = ["_to_copy.default", "to.dtype", "to.device", "to.dtype_layout", "to.other", "to.prim_Device",
                "type_as.default"];
  let importRule = "cast";
}

def Genie_AddOp : Genie_BinaryOp<"add", "a + b; of bools, or"> {
  let aten = ["add.Tensor", "add.Scalar"];
}
def Genie_SubOp : Genie_BinaryOp<"sub", "a - b"> {
  let aten = ["sub.Tensor", "sub.Scalar", "subtract.Tensor", "subtract.Scalar"];
}
def Genie_MulOp : Genie_BinaryOp<"mul", "a * b; of bools, and"> {
  let aten = ["mul.Tensor", "mul.Scalar", "multiply.Tensor", "multiply.Scalar"];
}
def Genie_DivOp : Genie_BinaryOp<"div", "True division of floats"> {
  let aten = ["div.Tensor", "div.Scalar", "true_divide.Tensor", "true_divide.Scalar", "divide.Tensor", "divide.Scalar"];
}
def Genie_FloorDivideOp : Genie_BinaryOp<"floor_divide", "floor(a / b)"> {
  let aten = ["floor_divide.default", "floor_divide.Scalar"];
}
def Genie_TruncDivideOp : Genie_BinaryOp<"trunc_divide", "trunc(a / b)">;
def Genie_RemainderOp : Genie_BinaryOp<"remainder", "a - b * floor(a / b): the sign of b, as Python's %"> {
  let aten = ["remainder.Tensor", "remainder.Scalar", "remainder.Scalar_Tensor"];
}
def Genie_FmodOp : Genie_BinaryOp<"fmod", "a - b * trunc(a / b): the sign of a, as C's fmod"> {
  let aten = ["fmod.Tensor", "fmod.Scalar"];
}
def Genie_PowOp : Genie_BinaryOp<"pow", "a^b"> {
  let aten = ["pow.Tensor_Tensor", "pow.Tensor_Scalar"];
}
def Genie_MaximumOp : Genie_BinaryOp<"maximum", "The larger; NaN if either is"> {
  let aten = ["maximum.default", "max.other"];
}
def Genie_MinimumOp : Genie_BinaryOp<"minimum", "The smaller; NaN if either is"> {
  let aten = ["minimum.default", "min.other"];
}
def Genie_Atan2Op : Genie_BinaryOp<"atan2", "Angle of (b, a)"> {
  let aten = ["atan2.default"];
}
def Genie_BitwiseAndOp : Genie_BinaryOp<"bitwise_and", "And of every bit"> {
  let aten = ["bitwise_and.Tensor", "bitwise_and.Scalar", "__and__.Tensor", "__and__.Scalar"];
}
def Genie_BitwiseOrOp : Genie_BinaryOp<"bitwise_or", "Or of every bit"> {
  let aten = ["bitwise_or.Tensor", "bitwise_or.Scalar", "__or__.Tensor", "__or__.Scalar"];
}
def Genie_BitwiseXorOp : Genie_BinaryOp<"bitwise_xor", "Exclusive or of every bit"> {
  let aten = ["bitwise_xor.Tensor", "bitwise_xor.Scalar", "__xor__.Tensor", "__xor__.Scalar"];
}
def Genie_ShiftLeftOp : Genie_BinaryOp<"shift_left", "a * 2^b of integers"> {
  let aten = ["bitwise_left_shift.Tensor", "bitwise_left_shift.Tensor_Scalar", "__lshift__.Tensor", "__lshift__.Scalar"];
}
def Genie_ShiftRightOp : Genie_BinaryOp<"shift_right", "floor(a / 2^b) of integers"> {
  let aten = ["bitwise_right_shift.Tensor", "bitwise_right_shift.Tensor_Scalar", "__rshift__.Tensor",
                "__rshift__.Scalar"];
}

def Genie_EqOp : Genie_CompareOp<"eq", "a == b">;
def Genie_NeOp : Genie_CompareOp<"ne", "a != b"> {
  let aten = ["ne.Tensor", "ne.Scalar", "not_equal.Tensor", "not_equal.Scalar"];
}
def Genie_LtOp : Genie_CompareOp<"lt", "a < b"> {
  let aten = ["lt.Tensor", "lt.Scalar", "less.Tensor", "less.Scalar"];
}
def Genie_LeOp : Genie_CompareOp<"le", "a <= b"> {
  let aten = ["le.Tensor", "le.Scalar", "less_equal.Tensor", "less_equal.Scalar"];
}
def Genie_GtOp : Genie_CompareOp<"gt", "a > b"> {
  let aten = ["gt.Tensor", "gt.Scalar", "greater.Tensor", "greater.Scalar"];
}
def Genie_GeOp : Genie_CompareOp<"ge", "a >= b"> {
  let aten = ["ge.Tensor", "ge.Scalar", "greater_equal.Tensor", "greater_equal.Scalar"];
}
def Genie_LogicalAndOp : Genie_CompareOp<"logical_and", "Both are non-zero"> {
  let aten = ["logical_and.default"];
}
def Genie_LogicalOrOp : Genie_CompareOp<"logical_or", "Either is non-zero"> {
  let aten = ["logical_or.default"];
}
def Genie_LogicalXorOp : Genie_CompareOp<"logical_xor", "Exactly one is non-zero"> {
  let aten = ["logical_xor.default"];
}

def Genie_WhereOp : Genie_PureOp<"where"> {
  let summary = "condition ? a : b under broadcasting";
  let arguments = (ins AnyRankedTensor:$condition, AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "where"; let costRule = "elementwise"; let lowerRule = "pointwise";
  let aten = ["where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar"];
  let importRule = "where";
}

//===-- Views and data movement -----------------------------------------------------------------------------------===//

def Genie_ReshapeOp : Genie_ViewOp<"reshape", "The same elements in row-major order under another shape"> {
  let arguments = (ins AnyRankedTensor:$x);
  let shapeRule = "reshape";
  let aten = ["view.default", "reshape.default", "_unsafe_view.default", "_reshape_alias.default", "view_copy.default",
                "view_as.default", "reshape_as.default", "flatten.using_ints", "unflatten.int", "unsqueeze.default",
                "unsqueeze_copy.default", "squeeze.default", "squeeze.dim", "squeeze.dims", "squeeze_copy.dims",
                "atleast_1d.default", "atleast_2d.default", "ravel.default"];
  let importRule = "reshape";
}
def Genie_PermuteOp : Genie_ViewOp<"permute", "Dimension i of the result is dimension permutation[i] of x"> {
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$permutation);
  let shapeRule = "permute";
  let aten = ["permute.default", "permute_copy.default", "transpose.int", "transpose_copy.int", "swapaxes.default",
                "swapdims.default", "t.default", "t_copy.default", "numpy_T.default", "mT.default", "adjoint.default"];
  let importRule = "permute";
}
def Genie_ExpandOp : Genie_ViewOp<"expand", "Repeats dimensions of size 1; new leading dimensions are allowed"> {
  let arguments = (ins AnyRankedTensor:$x);
  let shapeRule = "expand";
  let aten = ["expand.default", "expand_copy.default", "expand_as.default", "broadcast_to.default"];
  let importRule = "expand";
}
def Genie_SliceOp : Genie_ViewOp<"slice", "Elements start, start + step, ... of `axis`, as many as the result has"> {
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis, AffineMapAttr:$start, DefaultValuedAttr<I64Attr, "1">:$step);
  let shapeRule = "slice";
  let aten = ["slice.Tensor", "slice_copy.Tensor", "narrow.default"];
  let importRule = "slice";
}
def Genie_FlipOp : Genie_ViewOp<"flip", "Reverses `axes`"> {
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$axes);
  let shapeRule = "flip"; let lowerRule = "pointwise";
  let aten = ["flip.default(x:self, axes:dims)"];
}
def Genie_ConcatOp : Genie_ViewOp<"concat", "Joins along `axis`"> {
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, I64Attr:$axis);
  let shapeRule = "concat"; let lowerRule = "pointwise";
  let aten = ["cat.default", "concat.default", "concatenate.default"];
  let importRule = "concat";
}
def Genie_PadOp : Genie_ViewOp<"pad", "Adds low[i] and high[i] elements around dimension i (negative: removes)"> {
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                   DefaultValuedAttr<F64Attr, "0.0">:$value, DefaultValuedAttr<StrAttr, "\"constant\"">:$mode);
  let shapeRule = "pad"; let lowerRule = "pointwise";
  let aten = ["pad.default", "constant_pad_nd.default", "reflection_pad1d.default", "reflection_pad2d.default",
                "reflection_pad3d.default", "replication_pad1d.default", "replication_pad2d.default",
                "replication_pad3d.default"];
  let importRule = "pad";
}
def Genie_GatherOp : Genie_PureOp<"gather"> {
  let summary = "result[i.., j, k..] = x[i.., index[i.., j, k..], k..] along `axis`";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$index, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "gather"; let costRule = "gather"; let lowerRule = "pointwise";
  let aten = ["gather.default(x:self, axis:dim, index, _sparse_grad)"];
}
def Genie_TakeOp : Genie_PureOp<"take"> {
  let summary = "Picks elements of `axis` by a 1-d index";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$index, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "take"; let costRule = "gather"; let lowerRule = "pointwise";
}
def Genie_IndexOp : Genie_PureOp<"index"> {
  let summary = "Advanced indexing: `indices` broadcast together replace `axes` (consecutive) of x";
  let arguments = (ins AnyRankedTensor:$x, Variadic<AnyRankedTensor>:$indices, DenseI64ArrayAttr:$axes);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "index"; let costRule = "gather"; let lowerRule = "pointwise";
  let aten = ["index.Tensor", "_unsafe_index.Tensor"];
  let importRule = "index";
}
def Genie_IndexCopyOp : Genie_PureOp<"index_copy"> {
  let summary = "x with the slices of `axis` at `index` (1-d) replaced by those of `source`";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$index, AnyRankedTensor:$source, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "index_copy"; let costRule = "scatter"; let lowerRule = "scatter";
  let aten = ["index_copy.default(x:self, axis:dim, index, source)"];
}
def Genie_IndexPutOp : Genie_PureOp<"index_put"> {
  let summary = "x with the elements that `indices` (for `axes`, broadcast) name replaced by, or added to, `value`";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$value, Variadic<AnyRankedTensor>:$indices,
                   DenseI64ArrayAttr:$axes, DefaultValuedAttr<BoolAttr, "false">:$accumulate);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "index_put"; let costRule = "scatter"; let lowerRule = "scatter";
  let aten = ["index_put.default", "_unsafe_index_put.default"];
  let importRule = "index_put";
}
def Genie_ScatterOp : Genie_PureOp<"scatter"> {
  let summary = "x with x[.., index[.., j, ..], ..] along `axis` replaced by, or combined with, source[.., j, ..]";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$index, AnyRankedTensor:$source, I64Attr:$axis,
                   DefaultValuedAttr<StrAttr, "\"replace\"">:$reduce);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "scatter"; let costRule = "scatter"; let lowerRule = "scatter";
}
def Genie_SliceScatterOp : Genie_PureOp<"slice_scatter"> {
  let summary = "x with elements start, start + step, ... of `axis` replaced by `source`";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$source, I64Attr:$axis, AffineMapAttr:$start,
                   DefaultValuedAttr<I64Attr, "1">:$step);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "slice_scatter"; let costRule = "scatter"; let lowerRule = "pointwise";
  let aten = ["slice_scatter.default"];
  let importRule = "slice_scatter";
}

//===-- Reductions ------------------------------------------------------------------------------------------------===//

def Genie_SumOp : Genie_ReduceOp<"sum", "Sum; integers in i64"> {
  let aten = ["sum.default", "sum.dim_IntList"];
}
def Genie_MeanOp : Genie_ReduceOp<"mean", "Arithmetic mean"> {
  let aten = ["mean.default", "mean.dim"];
}
def Genie_AmaxOp : Genie_ReduceOp<"amax", "Largest; NaN if any is"> {
  let aten = ["amax.default"];
}
def Genie_AminOp : Genie_ReduceOp<"amin", "Smallest; NaN if any is"> {
  let aten = ["amin.default"];
}
def Genie_ProdOp : Genie_ReduceOp<"prod", "Product"> {
  let aten = ["prod.default", "prod.dim_int"];
}
def Genie_AnyOp : Genie_ReduceOp<"any", "True if any is non-zero"> {
  let shapeRule = "reduce_bool";
  let aten = ["any.default", "any.dim", "any.dims"];
}
def Genie_AllOp : Genie_ReduceOp<"all", "True if all are non-zero"> {
  let shapeRule = "reduce_bool";
  let aten = ["all.default", "all.dim", "all.dims"];
}
def Genie_VarOp : Genie_ReduceOp<"var", "Variance over n - correction"> {
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$axes, DefaultValuedAttr<BoolAttr, "false">:$keepdim,
                   DefaultValuedAttr<F64Attr, "1.0">:$correction);
}
def Genie_ArgmaxOp : Genie_ReduceOp<"argmax", "Index of the first largest along one axis, i64"> {
  let shapeRule = "reduce_index";
  let aten = ["argmax.default"];
}
def Genie_ArgminOp : Genie_ReduceOp<"argmin", "Index of the first smallest along one axis, i64"> {
  let shapeRule = "reduce_index";
  let aten = ["argmin.default"];
}

def Genie_SoftmaxOp : Genie_PureOp<"softmax"> {
  let summary = "exp(x - max) / sum along `axis`";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "along_axis"; let costRule = "row"; let lowerRule = "row";
  let aten = ["softmax.int", "_softmax.default"];
  let importRule = "softmax";
}
def Genie_LogSoftmaxOp : Genie_PureOp<"log_softmax"> {
  let summary = "x - max - log(sum(exp(x - max))) along `axis`";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "along_axis"; let costRule = "row"; let lowerRule = "row";
  let aten = ["log_softmax.int", "_log_softmax.default"];
  let importRule = "softmax";
}
def Genie_CumsumOp : Genie_PureOp<"cumsum"> {
  let summary = "Running sum along `axis`";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "along_axis"; let costRule = "row"; let lowerRule = "scan";
  let aten = ["cumsum.default"];
  let importRule = "scan";
}
def Genie_SortOp : Genie_PureOp<"sort"> {
  let summary = "Values along `axis` in order (stable), and their indices";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$descending);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let shapeRule = "sort"; let costRule = "sort"; let lowerRule = "sort";
  let aten = ["sort.default(x:self, axis:dim=-1, descending)"];
}
def Genie_TopkOp : Genie_PureOp<"topk"> {
  let summary = "The k largest (or smallest) along `axis`, in order, and their indices";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$k, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let shapeRule = "topk"; let costRule = "sort"; let lowerRule = "sort";
  let aten = ["topk.default(x:self, k, axis:dim=-1, largest, _sorted)"];
}

//===-- Normalisations --------------------------------------------------------------------------------------------===//

def Genie_LayerNormOp : Genie_PureOp<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "(x - mean) / sqrt(var + eps) * weight + bias over the last `normalized_rank` dimensions";
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, Optional<AnyRankedTensor>:$bias,
                   I64Attr:$normalized_rank, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "norm"; let costRule = "row"; let lowerRule = "row";
  let aten = ["layer_norm.default", "native_layer_norm.default"];
  let importRule = "norm";
}
def Genie_RmsNormOp : Genie_PureOp<"rms_norm"> {
  let summary = "x / sqrt(mean(x^2) + eps) * weight over the last `normalized_rank` dimensions";
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, I64Attr:$normalized_rank, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "norm"; let costRule = "row"; let lowerRule = "row";
  let aten = ["rms_norm.default", "_fused_rms_norm.default"];
  let importRule = "norm";
}
def Genie_GroupNormOp : Genie_PureOp<"group_norm", [AttrSizedOperandSegments]> {
  let summary = "Normalises each of `groups` groups of channels (dimension 1) with all that follows";
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, Optional<AnyRankedTensor>:$bias,
                   I64Attr:$groups, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "group_norm"; let costRule = "row"; let lowerRule = "none";
  let aten = ["group_norm.default", "native_group_norm.default"];
  let importRule = "group_norm";
}
def Genie_BatchNormOp : Genie_PureOp<"batch_norm", [AttrSizedOperandSegments]> {
  let summary = "(x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c], channels in dimension 1";
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, Optional<AnyRankedTensor>:$bias,
                   AnyRankedTensor:$mean, AnyRankedTensor:$var, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "channel_norm"; let costRule = "elementwise"; let lowerRule = "none";
  let aten = ["batch_norm.default", "_native_batch_norm_legit_no_training.default", "_native_batch_norm_legit.default",
                "native_batch_norm.default", "cudnn_batch_norm.default"];
  let importRule = "batch_norm";
}

//===-- Products, convolution, attention --------------------------------------------------------------------------===//

def Genie_LinearOp : Genie_PureOp<"linear"> {
  let summary = "x[.., K] * weight[N, K]^T + bias[N]";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "linear"; let costRule = "gemm"; let lowerRule = "gemm";
  let aten = ["linear.default(x:input, weight, bias)"];
}
def Genie_MatmulOp : Genie_PureOp<"matmul"> {
  let summary = "lhs[.., M, K] * rhs[.., K, N], leading dimensions broadcast; rank 2 and more (importer reshapes vectors)";
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "matmul"; let costRule = "gemm"; let lowerRule = "gemm";
  let aten = ["matmul.default", "mm.default", "bmm.default", "mv.default", "dot.default"];
  let importRule = "matmul";
}
def Genie_ConvOp : Genie_PureOp<"conv"> {
  let summary = "Convolution of x[N, C, spatial..] with weight[O, C/groups, spatial..]; 1 to 3 spatial dimensions";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias,
                   DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding_low, DenseI64ArrayAttr:$padding_high,
                   DenseI64ArrayAttr:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "conv"; let costRule = "conv"; let lowerRule = "conv";
  let aten = ["conv1d.default", "conv2d.default", "conv3d.default", "conv1d.padding", "conv2d.padding", "conv3d.padding",
                "convolution.default", "_convolution.default"];
  let importRule = "conv";
}
def Genie_ConvTransposeOp : Genie_PureOp<"conv_transpose"> {
  let summary = "Transposed convolution of x[N, C, spatial..] with weight[C, O/groups, spatial..]";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias,
                   DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$output_padding,
                   DenseI64ArrayAttr:$dilation, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "conv_transpose"; let costRule = "conv"; let lowerRule = "conv";
  let aten = ["conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input"];
  let importRule = "conv";
}
def Genie_AttentionOp : Genie_PureOp<"attention"> {
  let summary = "softmax(scale q k^T + mask) v: q[.., H, L, E], k[.., G, S, E], v[.., G, S, D], mask broadcasts to [.., H, L, S]";
  let description = [{
    A boolean mask keeps where true; a float mask is added. `is_causal` keeps key j for query i where j <= i. H is a
    multiple of G (grouped queries). A row whose keys are all masked gives zeros, as PyTorch's safe softmax does.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
                   Optional<AnyRankedTensor>:$mask, DefaultValuedAttr<BoolAttr, "false">:$is_causal, F64Attr:$scale);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "attention"; let costRule = "attention"; let lowerRule = "attention";
  let aten = ["scaled_dot_product_attention.default", "_scaled_dot_product_flash_attention_for_cpu.default"];
  let importRule = "attention";
}
def Genie_EmbeddingOp : Genie_PureOp<"embedding"> {
  let summary = "Rows of table[V, D] by index: result[.., D]";
  let arguments = (ins AnyRankedTensor:$table, AnyRankedTensor:$index);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "embedding"; let costRule = "gather"; let lowerRule = "pointwise";
  let aten = ["embedding.default(table:weight, index:indices, _padding_idx, _scale_grad_by_freq, _sparse)"];
}
def Genie_EmbeddingBagOp : Genie_PureOp<"embedding_bag", [AttrSizedOperandSegments]> {
  let summary = "Sum, mean or max of table rows over bags: index 1-d with `offsets` [B], or index [B, n]";
  let arguments = (ins AnyRankedTensor:$table, AnyRankedTensor:$index, Optional<AnyRankedTensor>:$offsets,
                   Optional<AnyRankedTensor>:$sample_weights, DefaultValuedAttr<StrAttr, "\"sum\"">:$mode,
                   DefaultValuedAttr<BoolAttr, "false">:$include_last_offset, DefaultValuedAttr<I64Attr, "-1">:$padding_index);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "embedding_bag"; let costRule = "gather"; let lowerRule = "embedding_bag";
  let aten = ["embedding_bag.default", "embedding_bag.padding_idx", "_embedding_bag.default",
                "_embedding_bag_forward_only.default"];
  let importRule = "embedding_bag";
}
def Genie_LstmOp : Genie_PureOp<"lstm"> {
  let summary = "LSTM over x[T, B, I] (or [B, T, I] if batch_first); h0, c0 [layers * directions, B, H]";
  let description = [{
    `weights` for every layer, then direction: w_ih [4H, I], w_hh [4H, H] and, if has_bias, b_ih [4H], b_hh [4H]; gates
    in the order i, f, g, o, as ATen's `lstm.input`.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$h0, AnyRankedTensor:$c0, Variadic<AnyRankedTensor>:$weights,
                   I64Attr:$layers, DefaultValuedAttr<BoolAttr, "true">:$has_bias,
                   DefaultValuedAttr<BoolAttr, "false">:$bidirectional, DefaultValuedAttr<BoolAttr, "false">:$batch_first);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$hn, AnyRankedTensor:$cn);
  let shapeRule = "lstm"; let costRule = "recurrent"; let lowerRule = "recurrent";
  let aten = ["lstm.input"];
  let importRule = "recurrent";
}
def Genie_GruOp : Genie_PureOp<"gru"> {
  let summary = "GRU over x, as lstm, with gates r, z, n and no cell state";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$h0, Variadic<AnyRankedTensor>:$weights, I64Attr:$layers,
                   DefaultValuedAttr<BoolAttr, "true">:$has_bias, DefaultValuedAttr<BoolAttr, "false">:$bidirectional,
                   DefaultValuedAttr<BoolAttr, "false">:$batch_first);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$hn);
  let shapeRule = "gru"; let costRule = "recurrent"; let lowerRule = "recurrent";
  let aten = ["gru.input"];
  let importRule = "recurrent";
}

def Genie_RnnOp : Genie_PureOp<"rnn"> {
  let summary = "h' = activation(w_ih x + b_ih + w_hh h + b_hh) over x, as gru with one gate; the activation is tanh or relu";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$h0, Variadic<AnyRankedTensor>:$weights, I64Attr:$layers,
                   DefaultValuedAttr<BoolAttr, "true">:$has_bias, DefaultValuedAttr<BoolAttr, "false">:$bidirectional,
                   DefaultValuedAttr<BoolAttr, "false">:$batch_first, DefaultValuedAttr<BoolAttr, "false">:$relu);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$hn);
  let shapeRule = "rnn"; let costRule = "recurrent"; let lowerRule = "recurrent";
  let aten = ["rnn_tanh.input", "rnn_relu.input"];
  let importRule = "recurrent";
}

//===-- Pooling and resampling ------------------------------------------------------------------------------------===//

def Genie_MaxPoolOp : Genie_PureOp<"max_pool"> {
  let summary = "Largest of each window of x[N, C, spatial..]";
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
                   DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$dilation, DefaultValuedAttr<BoolAttr, "false">:$ceil_mode);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "pool"; let costRule = "pool"; let lowerRule = "pool";
  let aten = ["max_pool1d.default", "max_pool2d.default", "max_pool3d.default", "max_pool2d_with_indices.default",
                "max_pool3d_with_indices.default"];
  let importRule = "pool";
}
def Genie_AvgPoolOp : Genie_PureOp<"avg_pool"> {
  let summary = "Mean of each window of x[N, C, spatial..]";
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride,
                   DenseI64ArrayAttr:$padding, DefaultValuedAttr<BoolAttr, "false">:$ceil_mode,
                   DefaultValuedAttr<BoolAttr, "true">:$count_include_pad);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "pool"; let costRule = "pool"; let lowerRule = "pool";
  let aten = ["avg_pool1d.default", "avg_pool2d.default", "avg_pool3d.default"];
  let importRule = "pool";
}
def Genie_AdaptiveAvgPoolOp : Genie_PureOp<"adaptive_avg_pool"> {
  let summary = "Mean over windows that divide the spatial dimensions into those of the result";
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "resample"; let costRule = "pool"; let lowerRule = "pool";
  let aten = ["adaptive_avg_pool1d.default", "adaptive_avg_pool2d.default", "adaptive_avg_pool3d.default",
                "_adaptive_avg_pool2d.default", "_adaptive_avg_pool3d.default"];
  let importRule = "adaptive_pool";
}
def Genie_UpsampleOp : Genie_PureOp<"upsample"> {
  let summary = "Resamples the spatial dimensions to those of the result";
  let arguments = (ins AnyRankedTensor:$x, StrAttr:$mode, DefaultValuedAttr<BoolAttr, "false">:$align_corners);
  let results = (outs AnyRankedTensor:$result);
  let shapeRule = "resample"; let costRule = "elementwise"; let lowerRule = "pool";
  let aten = ["upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest3d.vec", "upsample_linear1d.vec",
                "upsample_bilinear2d.vec", "upsample_trilinear3d.vec", "upsample_nearest2d.default",
                "upsample_bilinear2d.default"];
  let importRule = "upsample";
}

#endif  // GENIE_OPS_TD
