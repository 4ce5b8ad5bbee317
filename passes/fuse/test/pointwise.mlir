// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise | FileCheck %s
// Chains of pointwise ops are one kernel, data movement included.

// CHECK-LABEL: func.func @chain
// CHECK-COUNT-1: genie.kernel "pointwise"
// CHECK: genie.slice
// CHECK: genie.concat
// CHECK: genie.yield
func.func @chain(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}) -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.slice %x {axis = 1 : i64, start = affine_map<() -> (4)>} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
  %1 = genie.neg %0 : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
  %2 = genie.slice %x {axis = 1 : i64, start = affine_map<() -> (0)>} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
  %3 = genie.concat %1, %2 {axis = 1 : i64} : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>, tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %4 = genie.mul %3, %x : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %4 : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
}

// Two results that share what they read come from one kernel.
// CHECK-LABEL: func.func @siblings
// CHECK: %[[K:.*]]:2 = genie.kernel "pointwise"(%arg0)
// CHECK: genie.exp
// CHECK: genie.cos
// CHECK: genie.sin
// CHECK: return %[[K]]#0, %[[K]]#1
func.func @siblings(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}) -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "y"}, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "z"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.exp %x : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %1 = genie.cos %0 : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  %2 = genie.sin %0 : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %1, %2 : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
}

// An expensive row that many rows read is computed once.
// CHECK-LABEL: func.func @heavy_op_is_not_repeated
// CHECK: genie.kernel "pointwise"(%arg1)
// CHECK: genie.exp
// CHECK: genie.kernel "pointwise"
// CHECK: genie.mul
func.func @heavy_op_is_not_repeated(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %b: tensor<8xf32> {genie.input = "b"}) -> (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.exp %b : (tensor<8xf32>) -> tensor<8xf32>
  %1 = genie.mul %x, %0 : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<8xf32>) -> tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
  return %1 : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>
}

// A mask that indices alone determine is evaluated by everyone who reads it.
// CHECK-LABEL: func.func @index_masks_are_evaluated_again
// CHECK: genie.kernel "gemm"
// CHECK: genie.iota
// CHECK: genie.where
// CHECK: genie.kernel "gemm"
// CHECK: genie.iota
// CHECK: genie.where
// CHECK-NOT: genie.kernel "pointwise"
func.func @index_masks_are_evaluated_again(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "z"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %zero = genie.constant dense<0.0> : tensor<f32>
  %n = genie.constant dense<3> : tensor<i64>
  %i = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 0 : i64} : () -> tensor<6xi64>
  %m = genie.lt %i, %n : (tensor<6xi64>, tensor<i64>) -> tensor<6xi1>
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.where %m, %0, %zero : (tensor<6xi1>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<f32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %2 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %3 = genie.where %m, %zero, %2 : (tensor<6xi1>, tensor<f32>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %1, %3 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>

// A kernel stores at most eight results: a longer chain, of which everything is read elsewhere, takes two.
// CHECK-LABEL: func.func @ten_states
// CHECK-NOT: :9 = genie.kernel
// CHECK-NOT: :10 = genie.kernel
// CHECK: return
func.func @ten_states(%x: tensor<4x8xf32> {genie.input = "x"}) -> (tensor<4x8xf32> {genie.output = "y0"}, tensor<4x8xf32> {genie.output = "y1"}, tensor<4x8xf32> {genie.output = "y2"}, tensor<4x8xf32> {genie.output = "y3"}, tensor<4x8xf32> {genie.output = "y4"}, tensor<4x8xf32> {genie.output = "y5"}, tensor<4x8xf32> {genie.output = "y6"}, tensor<4x8xf32> {genie.output = "y7"}, tensor<4x8xf32> {genie.output = "y8"}, tensor<4x8xf32> {genie.output = "y9"}) {
  %s0 = genie.exp %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s1 = genie.exp %s0 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s2 = genie.exp %s1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s3 = genie.exp %s2 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s4 = genie.exp %s3 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s5 = genie.exp %s4 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s6 = genie.exp %s5 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s7 = genie.exp %s6 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s8 = genie.exp %s7 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %s9 = genie.exp %s8 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %s0, %s1, %s2, %s3, %s4, %s5, %s6, %s7, %s8, %s9 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
