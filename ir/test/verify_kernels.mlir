// A kernel's region fits its operands and results and has at most one anchor.
// RUN: split-file %s %t
// RUN: not geniec %t/arguments.mlir --emit=genie 2>&1 | FileCheck %t/arguments.mlir
// RUN: not geniec %t/argument_type.mlir --emit=genie 2>&1 | FileCheck %t/argument_type.mlir
// RUN: not geniec %t/yield_count.mlir --emit=genie 2>&1 | FileCheck %t/yield_count.mlir
// RUN: not geniec %t/yield_type.mlir --emit=genie 2>&1 | FileCheck %t/yield_type.mlir
// RUN: not geniec %t/anchors.mlir --emit=genie 2>&1 | FileCheck %t/anchors.mlir
// RUN: not geniec %t/layouts.mlir --emit=genie 2>&1 | FileCheck %t/layouts.mlir
// RUN: not geniec %t/foreign.mlir --emit=genie 2>&1 | FileCheck %t/foreign.mlir

//--- arguments.mlir
// CHECK: arguments.mlir:{{[0-9]+}}: 'genie.kernel' op has 1 inputs but its block has 0 arguments
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
    %1 = genie.constant dense<1.0> : tensor<4xf32>
    genie.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

//--- argument_type.mlir
// CHECK: argument_type.mlir:{{[0-9]+}}: 'genie.kernel' op must have a block argument of type [4] f32, not [5] f32
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<5xf32>):
    %1 = genie.constant dense<1.0> : tensor<4xf32>
    genie.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

//--- yield_count.mlir
// CHECK: yield_count.mlir:{{[0-9]+}}: 'genie.kernel' op has 1 results but yields 2 values
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    genie.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

//--- yield_type.mlir
// CHECK: yield_type.mlir:{{[0-9]+}}: 'genie.kernel' op must yield a value of type [4] f32, not [4] bool
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %1 = genie.isnan %a : (tensor<4xf32>) -> tensor<4xi1>
    genie.yield %1 : tensor<4xi1>
  }
  return %0 : tensor<4xf32>
}

//--- anchors.mlir
// CHECK: anchors.mlir:{{[0-9]+}}: 'genie.kernel' op has two anchors, 'genie.softmax' and 'genie.log_softmax'
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %1 = genie.softmax %a {axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    %2 = genie.log_softmax %1 {axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    genie.yield %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

//--- layouts.mlir
// CHECK: layouts.mlir:{{[0-9]+}}: 'genie.kernel' op layout 0 must name each of the 1 dimensions once
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) {layouts = [array<i64: 1>]} : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    genie.yield %a : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

//--- foreign.mlir
// CHECK: foreign.mlir:{{[0-9]+}}: 'genie.kernel' op cannot hold 'func.call'
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.kernel "row"(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %1 = func.call @f(%a) : (tensor<4xf32>) -> tensor<4xf32>
    genie.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
