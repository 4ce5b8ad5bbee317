// The `genie` dialect and the columns of its op table.
#ifndef GENIE_BASE_TD
#define GENIE_BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Genie_Dialect : Dialect {
  let name = "genie";
  let cppNamespace = "::genie";
  let summary = "The semantic graph of a captured model";
  let description = [{
    Tensor ops at the level at which a person thinks of a model. Every tensor is ranked. A dynamic dimension is written
    `?` and the type's encoding, an `affine_map<()[s0, s1] -> (...)>` with one result a dimension, gives every dimension
    as an expression over the symbols of the enclosing function (attribute `genie.symbols`).
  }];
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

// Verifies an op by its shape rule: refuses a stated result type that differs from the rule's.
def Genie_ShapeVerified : NativeOpTrait<"ShapeVerified"> { let cppNamespace = "::genie"; }

// One record an op: what MLIR needs, and our own columns, from which a script derives the C tables that importer, shape
// rules, cost model, lowering, conformance list and reference page read. A rule names a C function
// `genie_<column>_<rule>`; a missing one is a link error.
class Genie_Op<string mnemonic, list<Trait> traits = []>
    : Op<Genie_Dialect, mnemonic, !listconcat(traits, [Genie_ShapeVerified])> {
  // The ATen overloads that import to this op, each "overload(arguments)": an argument is the name of an operand or
  // attribute of this op in the schema's order, `name:schema_name` where the schema calls it otherwise, `name=default` for
  // a default that this op lacks, `_name` to ignore it. Rules other than "direct" know the arguments: they need no list.
  list<string> aten = [];
  // How the importer builds the op from those overloads: "direct" maps arguments, others are functions of
  // compiler/import/pt2/rules.
  string importRule = "direct";
  // Result types from operand types and attributes.
  string shapeRule = ?;
  // Operations and bytes of one execution.
  string costRule = ?;
  // The kernel family that computes it: "pointwise", "row", "gemm", "conv", "attention", "gather", "view", ... or "none".
  string lowerRule = ?;
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

class Genie_PureOp<string mnemonic, list<Trait> traits = []> : Genie_Op<mnemonic, !listconcat([Pure], traits)>;

// y[i] = f(x[i])
class Genie_UnaryOp<string mnemonic, string text> : Genie_PureOp<mnemonic> {
  let summary = text;
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$result);
  let aten = [mnemonic # ".default"];
  let importRule = "unary";
  let shapeRule = "elementwise";
  let costRule = "elementwise";
  let lowerRule = "pointwise";
}

// y[i] = f(a[i], b[i]) under NumPy broadcasting; operands have one element type (the importer inserts casts).
class Genie_BinaryOp<string mnemonic, string text> : Genie_PureOp<mnemonic> {
  let summary = text;
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let importRule = "binary";
  let shapeRule = "broadcast";
  let costRule = "elementwise";
  let lowerRule = "pointwise";
}

// As a binary op, with a boolean result.
class Genie_CompareOp<string mnemonic, string text> : Genie_BinaryOp<mnemonic, text> {
  let aten = [mnemonic # ".Tensor", mnemonic # ".Scalar"];
  let importRule = "compare";
  let shapeRule = "broadcast_bool";
}

// Reduces `axes` (non-negative, ascending, distinct); keeps them with size 1 if `keepdim`.
class Genie_ReduceOp<string mnemonic, string text> : Genie_PureOp<mnemonic> {
  let summary = text;
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$axes, DefaultValuedAttr<BoolAttr, "false">:$keepdim);
  let results = (outs AnyRankedTensor:$result);
  let importRule = "reduce";
  let shapeRule = "reduce";
  let costRule = "reduce";
  let lowerRule = "row";
}

// Rearranges without computing. The result type states the shape.
class Genie_ViewOp<string mnemonic, string text> : Genie_PureOp<mnemonic> {
  let summary = text;
  let results = (outs AnyRankedTensor:$result);
  let costRule = "view";
  let lowerRule = "view";
}

#endif  // GENIE_BASE_TD
