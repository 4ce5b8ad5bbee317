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

// CHECK-LABEL: func.func @a_mask_that_keeps_all_is_dropped
// CHECK: genie.attention %arg0, %arg0, %arg0 {{.*}} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>)
func.func @a_mask_that_keeps_all_is_dropped(%x: tensor<1x2x4x8xf32> {genie.input = "x"})
    -> (tensor<1x2x4x8xf32> {genie.output = "y"}) {
  %0 = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<4xi64>
  %1 = genie.constant dense<0> : tensor<i64>
  %2 = genie.ge %0, %1 : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  %3 = genie.reshape %2 : (tensor<4xi1>) -> tensor<1x1x4x1xi1>
  %4 = genie.expand %3 : (tensor<1x1x4x1xi1>) -> tensor<1x1x4x4xi1>
  %5 = genie.attention %x, %x, %x, %4 {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x1x4x4xi1>) -> tensor<1x2x4x8xf32>
  return %5 : tensor<1x2x4x8xf32>
}

// CHECK-LABEL: func.func @a_mask_that_hides_the_first_stays
// CHECK: genie.attention %arg0, %arg0, %arg0, %
func.func @a_mask_that_hides_the_first_stays(%x: tensor<1x2x4x8xf32> {genie.input = "x"})
    -> (tensor<1x2x4x8xf32> {genie.output = "y"}) {
  %0 = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<4xi64>
  %1 = genie.constant dense<1> : tensor<i64>
  %2 = genie.ge %0, %1 : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  %3 = genie.reshape %2 : (tensor<4xi1>) -> tensor<1x1x1x4xi1>
  %4 = genie.expand %3 : (tensor<1x1x1x4xi1>) -> tensor<1x1x4x4xi1>
  %5 = genie.attention %x, %x, %x, %4 {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x1x4x4xi1>) -> tensor<1x2x4x8xf32>
  return %5 : tensor<1x2x4x8xf32>
}
