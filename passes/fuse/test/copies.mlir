// RUN: geniec %s --run-pass=copy-results,fuse-anchors,fuse-pointwise,verify-fused | FileCheck %s
// Views are free where strides describe them, and copies where not.

// CHECK-LABEL: func.func @product_reads_a_permuted_operand
// CHECK-COUNT-1: genie.kernel "gemm"(%arg0, %arg1)
// CHECK-NOT: genie.kernel "pointwise"
// CHECK: return
func.func @product_reads_a_permuted_operand(%x: tensor<8x?xf32, affine_map<()[s0] -> (8, s0)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}) -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.permute %x {permutation = array<i64: 1, 0>} : (tensor<8x?xf32, affine_map<()[s0] -> (8, s0)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %1 = genie.linear %0, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %1 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// CHECK-LABEL: func.func @product_needs_a_copy
// CHECK: %[[C:.*]] = genie.kernel "pointwise"(%arg0)
// CHECK: genie.permute
// CHECK: genie.reshape
// CHECK: genie.kernel "gemm"(%[[C]], %arg1)
func.func @product_needs_a_copy(%x: tensor<2x?x4xf32, affine_map<()[s0] -> (2, s0, 4)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}) -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.permute %x {permutation = array<i64: 1, 2, 0>} : (tensor<2x?x4xf32, affine_map<()[s0] -> (2, s0, 4)>>) -> tensor<?x4x2xf32, affine_map<()[s0] -> (s0, 4, 2)>>
  %1 = genie.reshape %0 : (tensor<?x4x2xf32, affine_map<()[s0] -> (s0, 4, 2)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %2 = genie.linear %1, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %2 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// What an entry returns without computing it is copied.
// CHECK-LABEL: func.func @arguments_and_repeated_results
// CHECK: %[[A:.*]]:2 = genie.kernel "pointwise"(%arg0)
// CHECK: %[[B:.*]] = genie.kernel "pointwise"(%arg1)
// CHECK: return %[[A]]#0, %[[A]]#1, %[[B]]
func.func @arguments_and_repeated_results(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w})
    -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "a"}, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "b"}, tensor<6x8xf32> {genie.output = "c"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.exp %x : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %0, %0, %w : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>
