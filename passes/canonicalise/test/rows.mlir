// RUN: geniec %s --run-pass=simplify | FileCheck %s
// Reductions and softmax work along the last dimensions: others are permuted there and back.

// CHECK-LABEL: func.func @sum_over_the_first
// CHECK-NEXT: %[[P:.*]] = genie.permute %arg0 {permutation = array<i64: 1, 2, 0>}
// CHECK-NEXT: %[[S:.*]] = genie.sum %[[P]] {axes = array<i64: 2>
// CHECK-NEXT: genie.reshape %[[S]] : (tensor<?x8xf32, {{.*}}>) -> tensor<1x?x8xf32
func.func @sum_over_the_first(%x: tensor<4x?x8xf32, affine_map<()[s0] -> (4, s0, 8)>> {genie.input = "x"})
    -> (tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.sum %x {axes = array<i64: 0>, keepdim = true} : (tensor<4x?x8xf32, affine_map<()[s0] -> (4, s0, 8)>>) -> tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
  return %0 : tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
}

// CHECK-LABEL: func.func @softmax_over_the_middle
// CHECK-NEXT: genie.permute %arg0 {permutation = array<i64: 0, 2, 1>}
// CHECK-NEXT: genie.softmax {{.*}} {axis = 2 : i64}
// CHECK-NEXT: genie.permute {{.*}} {permutation = array<i64: 0, 2, 1>}
func.func @softmax_over_the_middle(%x: tensor<2x3x4xf32> {genie.input = "x"}) -> (tensor<2x3x4xf32> {genie.output = "y"}) {
  %0 = genie.softmax %x {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @last_dimensions_stay
// CHECK-NEXT: genie.mean %arg0 {axes = array<i64: 1, 2>
func.func @last_dimensions_stay(%x: tensor<2x3x4xf32> {genie.input = "x"}) -> (tensor<2xf32> {genie.output = "y"}) {
  %0 = genie.mean %x {axes = array<i64: 1, 2>} : (tensor<2x3x4xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
