// The `gplan` dialect: what a plan file holds, one op a record. runtime/plan/disassemble.c prints the same text from the
// bytes, so the assembly formats are flat: a keyword before each field, every field always printed.
#ifndef GPLAN_OPS_TD
#define GPLAN_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/RegionKindInterface.td"

def Gplan_Dialect : Dialect {
  let name = "gplan";
  let cppNamespace = "::gplan";
  let summary = "A plan: sizes, tensors, memory and instructions";
  let description = [{
    Sizes, tensors and slices are values of type `index`. A plan lists its targets, places, kernels, the constants common
    to all entries, weights and states; an entry lists its symbols, expressions, inputs, outputs, and then its
    instructions, each preceded by the slices that nothing before it names. docs/plan-format.md says what each field means.
  }];
}

class Gplan_Op<string mnemonic, list<Trait> traits = []> : Op<Gplan_Dialect, mnemonic, traits>;

//===-- The plan --------------------------------------------------------------------------------------------------===//

def Gplan_PlanOp : Gplan_Op<"plan", [NoTerminator, SingleBlock]> {
  let summary = "A plan";
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$body attr-dict";
}

def Gplan_TargetOp : Gplan_Op<"target", [HasParent<"PlanOp">]> {
  let summary = "A variant of the code, and the CPU features that it needs";
  let arguments = (ins StrAttr:$name, StrAttr:$device, StrAttr:$features);
  let assemblyFormat = "$name `device` $device `features` $features attr-dict";
}

def Gplan_PlaceOp : Gplan_Op<"place", [HasParent<"PlanOp">]> {
  let summary = "A device that the plan runs on, and the bytes that it needs there";
  let arguments = (ins StrAttr:$name, StrAttr:$device, I64Attr:$slab, I64Attr:$state, I64Attr:$sum);
  let assemblyFormat = "$name `device` $device `slab` $slab `state` $state `sum` $sum attr-dict";
}

def Gplan_KernelOp : Gplan_Op<"kernel", [HasParent<"PlanOp">]> {
  let summary = "A kernel: its template, and what a launch gives it";
  let arguments = (ins StrAttr:$name, StrAttr:$template_name, I64Attr:$args, I64Attr:$dims, I64Attr:$scratch);
  let assemblyFormat = "$name `template` $template_name `args` $args `dims` $dims `scratch` $scratch attr-dict";
}

def Gplan_EntryOp : Gplan_Op<"entry", [HasParent<"PlanOp">, NoTerminator, SingleBlock]> {
  let summary = "A function that a caller can run";
  let arguments = (ins StrAttr:$name, I64Attr:$streams, I64Attr:$events);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name `streams` $streams `events` $events $body attr-dict";
}

//===-- Sizes -----------------------------------------------------------------------------------------------------===//

def Gplan_ConstantOp : Gplan_Op<"constant"> {
  let summary = "A size that is known";
  let arguments = (ins I64Attr:$value);
  let results = (outs Index:$result);
  let assemblyFormat = "$value attr-dict";
}

def Gplan_SymbolOp : Gplan_Op<"symbol", [HasParent<"EntryOp">]> {
  let summary = "A size that a call brings: dimension `dim` of the entry's input number `input`";
  let arguments = (ins StrAttr:$name, I64Attr:$minimum, I64Attr:$maximum, I64Attr:$multiple, I64Attr:$input, I64Attr:$dim);
  let results = (outs Index:$result);
  let assemblyFormat = "$name `from` $minimum `to` $maximum `multiple` $multiple `input` $input `dim` $dim attr-dict";
}

def Gplan_ExprOp : Gplan_Op<"expr", [HasParent<"EntryOp">]> {
  let summary = "An operator of expr.def applied to two sizes";
  let arguments = (ins StrAttr:$kind, Index:$lhs, Index:$rhs);
  let results = (outs Index:$result);
  let assemblyFormat = "$kind $lhs `,` $rhs attr-dict";
}

//===-- Tensors ---------------------------------------------------------------------------------------------------===//

def Gplan_WeightOp : Gplan_Op<"weight", [HasParent<"PlanOp">]> {
  let summary = "A tensor that is shipped with the plan, at `offset` of its weights";
  let arguments = (ins StrAttr:$name, StrAttr:$dtype, Variadic<Index>:$dims, I64Attr:$place, I64Attr:$offset, I64Attr:$bytes);
  let results = (outs Index:$result);
  let assemblyFormat = "$name $dtype `(` $dims `)` `place` $place `offset` $offset `bytes` $bytes attr-dict";
}

def Gplan_StateOp : Gplan_Op<"state", [HasParent<"PlanOp">, AttrSizedOperandSegments]> {
  let summary = "A tensor that lives across calls, at `offset` of its place's states; zeros at first or the weight `initial`";
  let arguments = (ins StrAttr:$name, StrAttr:$dtype, Variadic<Index>:$dims, I64Attr:$place, I64Attr:$offset, I64Attr:$bytes,
                   Optional<Index>:$initial);
  let results = (outs Index:$result);
  let assemblyFormat = [{
    $name $dtype `(` $dims `)` `place` $place `offset` $offset `bytes` $bytes (`initial` $initial^)? attr-dict
  }];
}

class Gplan_CallerTensorOp<string mnemonic> : Gplan_Op<mnemonic, [HasParent<"EntryOp">]> {
  let arguments = (ins StrAttr:$name, StrAttr:$dtype, Variadic<Index>:$dims, I64Attr:$place, I64Attr:$bytes);
  let results = (outs Index:$result);
  let assemblyFormat = "$name $dtype `(` $dims `)` `place` $place `bytes` $bytes attr-dict";
}

def Gplan_InputOp : Gplan_CallerTensorOp<"input"> {
  let summary = "A tensor that the caller gives; `bytes` at most";
}

def Gplan_OutputOp : Gplan_CallerTensorOp<"output"> {
  let summary = "A tensor that the caller receives; `bytes` at most";
}

//===-- Memory ----------------------------------------------------------------------------------------------------===//

def Gplan_SlabOp : Gplan_Op<"slab", [HasParent<"EntryOp">]> {
  let summary = "A range of a place's temporaries: room for `maximum` bytes, of which a call uses `bytes`";
  let arguments = (ins StrAttr:$access, I64Attr:$place, I64Attr:$offset, I64Attr:$maximum, Index:$bytes);
  let results = (outs Index:$result);
  let assemblyFormat = "$access `place` $place `offset` $offset `maximum` $maximum `bytes` $bytes attr-dict";
}

def Gplan_SliceOp : Gplan_Op<"slice", [HasParent<"EntryOp">]> {
  let summary = "A range of a tensor's bytes";
  let arguments = (ins StrAttr:$access, Index:$tensor, I64Attr:$offset, I64Attr:$maximum, Index:$bytes);
  let results = (outs Index:$result);
  let assemblyFormat = "$access $tensor `offset` $offset `maximum` $maximum `bytes` $bytes attr-dict";
}

//===-- Instructions ----------------------------------------------------------------------------------------------===//

class Gplan_KernelCallOp<string mnemonic> : Gplan_Op<mnemonic, [HasParent<"EntryOp">, AttrSizedOperandSegments]> {
  let arguments = (ins I64Attr:$place, I64Attr:$stream, StrAttr:$kernel, Variadic<Index>:$args, Variadic<Index>:$dims,
                   Index:$grid, I64Attr:$grain, StrAttr:$module_path);
  let assemblyFormat = [{
    `place` $place `stream` $stream $kernel `(` $args `)` `dims` `(` $dims `)` `grid` $grid `grain` $grain `in` $module_path attr-dict
  }];
}

def Gplan_LaunchOp : Gplan_KernelCallOp<"launch"> {
  let summary = "Runs `grid` tasks of a kernel on slices; `grain` tasks are worth a thread";
}

def Gplan_LibraryCallOp : Gplan_KernelCallOp<"library_call"> {
  let summary = "Calls the function of a vendor's library that the kernel's template names, on slices";
}

def Gplan_CopyOp : Gplan_Op<"copy", [HasParent<"EntryOp">]> {
  let summary = "Copies the bytes of one slice to another";
  let arguments = (ins I64Attr:$place, I64Attr:$stream, Index:$source, Index:$destination);
  let assemblyFormat = "`place` $place `stream` $stream $source `to` $destination attr-dict";
}

class Gplan_EventOp<string mnemonic> : Gplan_Op<mnemonic, [HasParent<"EntryOp">]> {
  let arguments = (ins I64Attr:$place, I64Attr:$stream, I64Attr:$event);
  let assemblyFormat = "`place` $place `stream` $stream $event attr-dict";
}

def Gplan_SignalOp : Gplan_EventOp<"signal"> {
  let summary = "Marks that all before it on its stream is done";
}

def Gplan_WaitOp : Gplan_EventOp<"wait"> {
  let summary = "Holds its stream until the event is signalled";
}

def Gplan_TransferOp : Gplan_Op<"transfer", [HasParent<"EntryOp">]> {
  let summary = "An edge of the traffic contract: what crosses from place to place in one call";
  let arguments = (ins StrAttr:$name, StrAttr:$phase, I64Attr:$source, I64Attr:$destination, Index:$bytes);
  let assemblyFormat = "$name `phase` $phase `from` $source `to` $destination `bytes` $bytes attr-dict";
}

class Gplan_MessageOp<string mnemonic> : Gplan_Op<mnemonic, [HasParent<"EntryOp">]> {
  let arguments = (ins I64Attr:$place, I64Attr:$stream, Index:$slice, I64Attr:$transfer);
  let assemblyFormat = "`place` $place `stream` $stream $slice `transfer` $transfer attr-dict";
}

def Gplan_SendOp : Gplan_MessageOp<"send"> {
  let summary = "Sends a slice along an edge of the traffic contract";
}

def Gplan_ReceiveOp : Gplan_MessageOp<"receive"> {
  let summary = "Receives a slice along an edge of the traffic contract";
}

#endif  // GPLAN_OPS_TD
