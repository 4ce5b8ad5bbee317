// RUN: geniec %s --run-pass=fuse-anchors | FileCheck %s
// What follows an anchor at the same index is its epilogue.

// CHECK-LABEL: func.func @activation_and_residual
// CHECK: %[[K:.*]] = genie.kernel "gemm"(%arg0, %arg1, %arg2)
// CHECK: genie.linear
// CHECK-NEXT: genie.gelu
// CHECK-NEXT: genie.add
// CHECK-NEXT: genie.yield
// CHECK: return %[[K]]
func.func @activation_and_residual(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}, %r: tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.input = "r"})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.gelu %0 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %2 = genie.add %r, %1 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %2 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// A residual that is computed after the anchor is available all the same: the kernel moves behind it.
// CHECK-LABEL: func.func @late_residual
// CHECK: %[[A:.*]] = genie.kernel "gemm"(%arg2, %arg1)
// CHECK: %[[B:.*]] = genie.kernel "gemm"(%arg0, %arg1, %[[A]])
// CHECK: return %[[B]]
func.func @late_residual(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}, %z: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "z"})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.linear %z, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %2 = genie.exp %1 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %3 = genie.add %0, %2 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %3 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// A value that is stored anyway gains nothing from an epilogue that others could share.
// CHECK-LABEL: func.func @value_that_others_read
// CHECK: genie.linear
// CHECK-NEXT: genie.yield
// CHECK: genie.relu
func.func @value_that_others_read(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "z"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.relu %0 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %0, %1 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// The paths of an expression join again: all of it is one epilogue.
// CHECK-LABEL: func.func @diamond
// CHECK: genie.linear
// CHECK-NEXT: genie.tanh
// CHECK-NEXT: genie.mul
// CHECK-NEXT: genie.yield
func.func @diamond(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.tanh %0 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %2 = genie.mul %0, %1 : (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %2 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>
