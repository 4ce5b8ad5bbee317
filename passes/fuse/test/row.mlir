// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise | FileCheck %s
// A row kernel computes what it reads, and stores a sum that is read again beside its own result.

// CHECK-LABEL: func.func @sum_of_embeddings
// CHECK: genie.kernel "row"(%arg1, %arg0, %arg2)
// CHECK: genie.embedding
// CHECK: genie.add
// CHECK: genie.layer_norm
// CHECK-NEXT: genie.yield %{{[^,]*}} :
func.func @sum_of_embeddings(%i: tensor<?xi64, affine_map<()[s0] -> (s0)>> {genie.input = "i"}, %t: tensor<100x8xf32> {genie.weight = @t}, %p: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "p"})
    -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.embedding %t, %i : (tensor<100x8xf32>, tensor<?xi64, affine_map<()[s0] -> (s0)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %1 = genie.add %0, %p : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %2 = genie.layer_norm %1 {normalized_rank = 1 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %2 : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
}

// CHECK-LABEL: func.func @residual_stream
// CHECK: %[[K:.*]]:2 = genie.kernel "row"(%arg0, %arg1)
// CHECK: %[[S:.*]] = genie.add
// CHECK: %[[N:.*]] = genie.layer_norm %[[S]]
// CHECK: genie.yield %[[S]], %[[N]]
// CHECK: return %[[K]]#1, %[[K]]#0
func.func @residual_stream(%a: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "a"}, %b: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "b"})
    -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "y"}, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "z"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.add %a, %b : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %1 = genie.layer_norm %0 {normalized_rank = 1 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %1, %0 : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
}
genie.weight @t {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<100x8xf32>

// What others make of the stored producer cannot come back into the epilogue.
// CHECK-LABEL: func.func @detour
// CHECK: %[[K:.*]]:2 = genie.kernel "row"(%arg0)
// CHECK: %[[L:.*]] = genie.kernel "pointwise"(%[[K]]#{{[01]}}, %[[K]]#{{[01]}})
// CHECK: return %[[L]]
func.func @detour(%x: tensor<8xf32> {genie.input = "x"}) -> (tensor<8xf32> {genie.output = "y"}) {
  %0 = genie.sin %x : (tensor<8xf32>) -> tensor<8xf32>
  %1 = genie.flip %0 {axes = array<i64: 0>} : (tensor<8xf32>) -> tensor<8xf32>
  %2 = genie.rms_norm %0 {normalized_rank = 1 : i64, eps = 1.0e-3 : f64} : (tensor<8xf32>) -> tensor<8xf32>
  %3 = genie.maximum %2, %1 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %3 : tensor<8xf32>
}
