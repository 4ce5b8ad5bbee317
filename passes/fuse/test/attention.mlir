// RUN: geniec %s --run-pass=fuse-anchors | FileCheck %s
// Attention reads queries, keys and values through their views, evaluates the mask where it needs it, and stores its
// result as the next product reads it.

// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = genie.kernel "attention"(%arg3, %arg0, %arg1, %arg2) : {{.*}} -> tensor<?x16x32xf32
// CHECK: genie.ne
// CHECK: genie.permute
// CHECK: genie.attention
// CHECK-NEXT: genie.permute
// CHECK-NEXT: genie.reshape
// CHECK-NEXT: genie.yield
// CHECK: genie.kernel "gemm"(%[[A]], %arg4)
func.func @main(%q: tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>> {genie.input = "q"}, %k: tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>> {genie.input = "k"}, %v: tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>> {genie.input = "v"}, %m: tensor<?x16xi64, affine_map<()[s0] -> (s0, 16)>> {genie.input = "m"},
      %w: tensor<32x32xf32> {genie.weight = @w}) -> (tensor<?x16x32xf32, affine_map<()[s0] -> (s0, 16, 32)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %zero = genie.constant dense<0> : tensor<i64>
  %0 = genie.ne %m, %zero : (tensor<?x16xi64, affine_map<()[s0] -> (s0, 16)>>, tensor<i64>) -> tensor<?x16xi1, affine_map<()[s0] -> (s0, 16)>>
  %1 = genie.reshape %0 : (tensor<?x16xi1, affine_map<()[s0] -> (s0, 16)>>) -> tensor<?x1x1x16xi1, affine_map<()[s0] -> (s0, 1, 1, 16)>>
  %2 = genie.expand %1 : (tensor<?x1x1x16xi1, affine_map<()[s0] -> (s0, 1, 1, 16)>>) -> tensor<?x1x16x16xi1, affine_map<()[s0] -> (s0, 1, 16, 16)>>
  %3 = genie.permute %q {permutation = array<i64: 0, 2, 1, 3>} : (tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>>) -> tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>
  %4 = genie.permute %k {permutation = array<i64: 0, 2, 1, 3>} : (tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>>) -> tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>
  %5 = genie.permute %v {permutation = array<i64: 0, 2, 1, 3>} : (tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>>) -> tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>
  %6 = genie.attention %3, %4, %5, %2 {scale = 0.5 : f64} : (tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>, tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>, tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>, tensor<?x1x16x16xi1, affine_map<()[s0] -> (s0, 1, 16, 16)>>) -> tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>
  %7 = genie.permute %6 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<?x4x16x8xf32, affine_map<()[s0] -> (s0, 4, 16, 8)>>) -> tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>>
  %8 = genie.reshape %7 : (tensor<?x16x4x8xf32, affine_map<()[s0] -> (s0, 16, 4, 8)>>) -> tensor<?x16x32xf32, affine_map<()[s0] -> (s0, 16, 32)>>
  %9 = genie.linear %8, %w : (tensor<?x16x32xf32, affine_map<()[s0] -> (s0, 16, 32)>>, tensor<32x32xf32>) -> tensor<?x16x32xf32, affine_map<()[s0] -> (s0, 16, 32)>>
  return %9 : tensor<?x16x32xf32, affine_map<()[s0] -> (s0, 16, 32)>>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 32, 1>} : tensor<32x32xf32>
