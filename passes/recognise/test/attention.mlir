// RUN: geniec %s --run-pass=recognise-attention | FileCheck %s
// Attention that the model spells out becomes one op.

// CHECK-LABEL: func.func @scores_with_a_bias
// CHECK: %[[A:.*]] = genie.attention %arg0, %arg1, %arg2, %arg3 {scale = 5.000000e-01 : f64}
// CHECK-NEXT: return %[[A]]
func.func @scores_with_a_bias(%q: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "q"}, %k: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "k"}, %v: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "v"}, %b: tensor<1x4x?x?xf32, affine_map<()[s0] -> (1, 4, s0, s0)>> {genie.input = "b"})
    -> (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %half = genie.constant dense<0.5> : tensor<f32>
  %0 = genie.permute %k {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>) -> tensor<2x4x8x?xf32, affine_map<()[s0] -> (2, 4, 8, s0)>>
  %1 = genie.matmul %q, %0 : (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>, tensor<2x4x8x?xf32, affine_map<()[s0] -> (2, 4, 8, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %2 = genie.mul %1, %half : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<f32>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %3 = genie.add %2, %b : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<1x4x?x?xf32, affine_map<()[s0] -> (1, 4, s0, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %4 = genie.softmax %3 {axis = 3 : i64} : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %5 = genie.matmul %4, %v : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>) -> tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>
  return %5 : tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>
}

// A mask that is scaled with the scores is not attention's.
// CHECK-LABEL: func.func @scaled_mask_stays
// CHECK-NOT: genie.attention
// CHECK: return
func.func @scaled_mask_stays(%q: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "q"}, %k: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "k"}, %v: tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.input = "v"}, %b: tensor<1x4x?x?xf32, affine_map<()[s0] -> (1, 4, s0, s0)>> {genie.input = "b"})
    -> (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %half = genie.constant dense<0.5> : tensor<f32>
  %0 = genie.permute %k {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>) -> tensor<2x4x8x?xf32, affine_map<()[s0] -> (2, 4, 8, s0)>>
  %1 = genie.matmul %q, %0 : (tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>, tensor<2x4x8x?xf32, affine_map<()[s0] -> (2, 4, 8, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %2 = genie.add %1, %b : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<1x4x?x?xf32, affine_map<()[s0] -> (1, 4, s0, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %3 = genie.mul %2, %half : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<f32>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %4 = genie.softmax %3 {axis = 3 : i64} : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>) -> tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>
  %5 = genie.matmul %4, %v : (tensor<2x4x?x?xf32, affine_map<()[s0] -> (2, 4, s0, s0)>>, tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>) -> tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>
  return %5 : tensor<2x4x?x8xf32, affine_map<()[s0] -> (2, 4, s0, 8)>>
}

// Keys and values that are repeated for groups of queries are read where they are.
// CHECK-LABEL: func.func @repeated_keys_are_read_in_place
// CHECK: %[[K:.*]] = genie.reshape {{.*}} -> tensor<1x2x16x8xf32>
// CHECK: %[[V:.*]] = genie.reshape {{.*}} -> tensor<1x2x16x8xf32>
// CHECK: genie.attention %arg0, %[[K]], %[[V]]
func.func @repeated_keys_are_read_in_place(%q: tensor<1x4x1x8xf32> {genie.input = "q"}, %k: tensor<1x2x16x8xf32> {genie.input = "k"},
      %v: tensor<1x2x16x8xf32> {genie.input = "v"}) -> (tensor<1x4x1x8xf32> {genie.output = "y"}) {
  %0 = genie.reshape %k : (tensor<1x2x16x8xf32>) -> tensor<1x2x1x16x8xf32>
  %1 = genie.expand %0 : (tensor<1x2x1x16x8xf32>) -> tensor<1x2x2x16x8xf32>
  %2 = genie.reshape %1 : (tensor<1x2x2x16x8xf32>) -> tensor<1x4x16x8xf32>
  %3 = genie.reshape %v : (tensor<1x2x16x8xf32>) -> tensor<1x2x1x16x8xf32>
  %4 = genie.expand %3 : (tensor<1x2x1x16x8xf32>) -> tensor<1x2x2x16x8xf32>
  %5 = genie.reshape %4 : (tensor<1x2x2x16x8xf32>) -> tensor<1x4x16x8xf32>
  %6 = genie.attention %q, %2, %5 {scale = 0.5 : f64} : (tensor<1x4x1x8xf32>, tensor<1x4x16x8xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x1x8xf32>
  return %6 : tensor<1x4x1x8xf32>
}

// The guard that makes rows zero where all keys are masked is attention's own.
// CHECK-LABEL: func.func @guarded_softmax
// CHECK: genie.attention %arg0, %arg1, %arg2, %arg3 {scale = 1.000000e+00 : f64}
// CHECK-NOT: genie.softmax
// CHECK: return
func.func @guarded_softmax(%q: tensor<1x2x4x8xf32> {genie.input = "q"}, %k: tensor<1x2x4x8xf32> {genie.input = "k"},
      %v: tensor<1x2x4x8xf32> {genie.input = "v"}, %m: tensor<1x1x4x4xf32> {genie.input = "m"}) -> (tensor<1x2x4x8xf32> {genie.output = "y"}) {
  %inf = genie.constant dense<0xFF800000> : tensor<f32>
  %zero = genie.constant dense<0.0> : tensor<f32>
  %0 = genie.permute %k {permutation = array<i64: 0, 1, 3, 2>} : (tensor<1x2x4x8xf32>) -> tensor<1x2x8x4xf32>
  %1 = genie.matmul %q, %0 : (tensor<1x2x4x8xf32>, tensor<1x2x8x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = genie.add %1, %m : (tensor<1x2x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32>
  %3 = genie.softmax %2 {axis = 3 : i64} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %4 = genie.eq %2, %inf : (tensor<1x2x4x4xf32>, tensor<f32>) -> tensor<1x2x4x4xi1>
  %5 = genie.logical_not %4 : (tensor<1x2x4x4xi1>) -> tensor<1x2x4x4xi1>
  %6 = genie.any %5 {axes = array<i64: 3>, keepdim = true} : (tensor<1x2x4x4xi1>) -> tensor<1x2x4x1xi1>
  %7 = genie.logical_not %6 : (tensor<1x2x4x1xi1>) -> tensor<1x2x4x1xi1>
  %8 = genie.where %7, %zero, %3 : (tensor<1x2x4x1xi1>, tensor<f32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %9 = genie.matmul %8, %v : (tensor<1x2x4x4xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
  return %9 : tensor<1x2x4x8xf32>
}
