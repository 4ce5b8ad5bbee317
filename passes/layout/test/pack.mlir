// RUN: geniec %s --run-pass=fuse-anchors,pack | FileCheck %s
// Weights of products over many rows are packed once, outside; a few rows read the weight as it is.

// CHECK-LABEL: func.func @many_rows
// CHECK: %[[P:.*]] = genie.pack %arg1 {format = "panel_n", width = 32 : i64} : (tensor<6x8xf32>) -> tensor<1x8x32xf32>
// CHECK: genie.kernel "gemm"(%arg0, %[[P]])
// CHECK: genie.unpack
// CHECK: genie.linear
// CHECK-NOT: genie.pack
// CHECK: genie.kernel "gemm"(%{{.*}}, %[[P]])
func.func @many_rows(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}, %z: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "z"})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"}, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "v"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.linear %z, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<6x8xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %0, %1 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// CHECK-LABEL: func.func @one_row
// CHECK-NOT: genie.pack
// CHECK: genie.kernel "gemm"(%arg0, %arg1)
func.func @one_row(%x: tensor<1x8xf32> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @w}) -> (tensor<1x6xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %w : (tensor<1x8xf32>, tensor<6x8xf32>) -> tensor<1x6xf32>
  return %0 : tensor<1x6xf32>
}

// CHECK-LABEL: func.func @convolution
// CHECK: genie.pack %arg1 {format = "conv_n", width = 32 : i64} : (tensor<4x3x1x1xf32>) -> tensor<1x1x1x3x32xf32>
func.func @convolution(%x: tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>> {genie.input = "x"}, %w: tensor<4x3x1x1xf32> {genie.weight = @c}) -> (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.conv %x, %w {padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, tensor<4x3x1x1xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  return %0 : tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
}

// Each group has panels of its own; a transposed convolution's outputs are the weight's second dimension.
// CHECK-LABEL: func.func @groups
// CHECK: genie.pack %arg1 {format = "conv_n", groups = 2 : i64, width = 32 : i64} : (tensor<8x3x3x3xf32>) -> tensor<2x3x3x3x32xf32>
// CHECK: genie.kernel "conv"
// CHECK: genie.pack %arg2 {format = "transposed_n", groups = 2 : i64, width = 32 : i64} : (tensor<8x5x2x2xf32>) -> tensor<2x2x2x4x32xf32>
func.func @groups(%x: tensor<1x6x8x8xf32> {genie.input = "x"}, %w: tensor<8x3x3x3xf32> {genie.weight = @g}, %v: tensor<8x5x2x2xf32> {genie.weight = @t}) -> (tensor<1x10x16x16xf32> {genie.output = "y"}) {
  %0 = genie.conv %x, %w {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x6x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x8x8xf32>
  %1 = genie.conv_transpose %0, %v {padding = array<i64: 0, 0>, output_padding = array<i64: 0, 0>, stride = array<i64: 2, 2>, dilation = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x8x8x8xf32>, tensor<8x5x2x2xf32>) -> tensor<1x10x16x16xf32>
  return %1 : tensor<1x10x16x16xf32>
}

// Two channels a group would be mostly padding.
// CHECK-LABEL: func.func @narrow_groups
// CHECK-NOT: genie.pack
// CHECK: return
func.func @narrow_groups(%x: tensor<1x6x8x8xf32> {genie.input = "x"}, %w: tensor<6x2x1x1xf32> {genie.weight = @r}) -> (tensor<1x6x8x8xf32> {genie.output = "y"}) {
  %0 = genie.conv %x, %w {padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>, groups = 3 : i64} : (tensor<1x6x8x8xf32>, tensor<6x2x1x1xf32>) -> tensor<1x6x8x8xf32>
  return %0 : tensor<1x6x8x8xf32>
}
genie.weight @g {file = "w.bin", offset = 0 : i64, strides = array<i64: 27, 9, 3, 1>} : tensor<8x3x3x3xf32>
genie.weight @t {file = "w.bin", offset = 0 : i64, strides = array<i64: 20, 4, 2, 1>} : tensor<8x5x2x2xf32>
genie.weight @r {file = "w.bin", offset = 0 : i64, strides = array<i64: 2, 1, 1, 1>} : tensor<6x2x1x1xf32>
genie.weight @c {file = "w.bin", offset = 0 : i64, strides = array<i64: 3, 1, 1, 1>} : tensor<4x3x1x1xf32>
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>
