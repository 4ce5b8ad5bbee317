// The dialect's attributes on functions, arguments and ops have their kinds and name what exists.
// RUN: split-file %s %t
// RUN: not geniec %t/symbols.mlir --emit=genie 2>&1 | FileCheck %t/symbols.mlir
// RUN: not geniec %t/symbol_names.mlir --emit=genie 2>&1 | FileCheck %t/symbol_names.mlir
// RUN: not geniec %t/symbol_fields.mlir --emit=genie 2>&1 | FileCheck %t/symbol_fields.mlir
// RUN: not geniec %t/input.mlir --emit=genie 2>&1 | FileCheck %t/input.mlir
// RUN: not geniec %t/weight.mlir --emit=genie 2>&1 | FileCheck %t/weight.mlir
// RUN: not geniec %t/weight_kind.mlir --emit=genie 2>&1 | FileCheck %t/weight_kind.mlir
// RUN: not geniec %t/weight_type.mlir --emit=genie 2>&1 | FileCheck %t/weight_type.mlir
// RUN: not geniec %t/output.mlir --emit=genie 2>&1 | FileCheck %t/output.mlir
// RUN: not geniec %t/state_update.mlir --emit=genie 2>&1 | FileCheck %t/state_update.mlir
// RUN: not geniec %t/phase.mlir --emit=genie 2>&1 | FileCheck %t/phase.mlir

//--- symbols.mlir
// CHECK: symbols.mlir:{{[0-9]+}}: 'func.func' op symbol 0 of 'genie.symbols' must have 0 <= min <= max and a positive multiple
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32>) attributes {genie.symbols = [{name = "s0", min = 4, max = 2, multiple = 1}]} {
  return %x : tensor<4xf32>
}

//--- symbol_names.mlir
// CHECK: symbol_names.mlir:{{[0-9]+}}: 'func.func' op symbol 1 of 'genie.symbols' has the name of symbol 0
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32>) attributes {genie.symbols = [{name = "s0", min = 1, max = 2, multiple = 1}, {name = "s0", min = 1, max = 2, multiple = 1}]} {
  return %x : tensor<4xf32>
}

//--- symbol_fields.mlir
// CHECK: symbol_fields.mlir:{{[0-9]+}}: 'func.func' op symbol 0 of 'genie.symbols' must be {{[{]}}name, min, max, multiple}
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32>) attributes {genie.symbols = [{name = "s0"}]} {
  return %x : tensor<4xf32>
}

//--- input.mlir
// CHECK: input.mlir:{{[0-9]+}}: 'func.func' op argument 0: attribute 'genie.input' must be a string
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = 3}) -> (tensor<4xf32>) {
  return %x : tensor<4xf32>
}

//--- weight.mlir
// CHECK: weight.mlir:{{[0-9]+}}: 'func.func' op argument 0: names @v, which is no genie.weight of the module
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.weight = @v}) -> (tensor<4xf32>) {
  return %x : tensor<4xf32>
}

//--- weight_kind.mlir
// CHECK: weight_kind.mlir:{{[0-9]+}}: 'func.func' op argument 0: names @w, which is no genie.state of the module
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.state = @w}) -> (tensor<4xf32>) {
  return %x : tensor<4xf32>
}

//--- weight_type.mlir
// CHECK: weight_type.mlir:{{[0-9]+}}: 'func.func' op argument 0: must be of type [5] f32, not [4] f32
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<5xf32>
func.func @f(%x: tensor<4xf32> {genie.weight = @w}) -> (tensor<4xf32>) {
  return %x : tensor<4xf32>
}

//--- output.mlir
// CHECK: output.mlir:{{[0-9]+}}: 'func.func' op result 0: attribute 'genie.output' must be a string
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = 1}) {
  return %x : tensor<4xf32>
}

//--- state_update.mlir
// CHECK: state_update.mlir:{{[0-9]+}}: 'genie.state_update' op names @w, which is no genie.state of the module
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32>) {
  genie.state_update %x, @w : tensor<4xf32>
  return %x : tensor<4xf32>
}

//--- phase.mlir
// CHECK: phase.mlir:{{[0-9]+}}: 'genie.relu' op attribute 'genie.phase' must be a string
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
func.func @f(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32>) {
  %0 = genie.relu %x {genie.phase = 1} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
