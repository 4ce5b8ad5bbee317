// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise,layout | FileCheck %s
// Images between convolutions lie channels-last; what the entry returns is row-major.

// CHECK-LABEL: func.func @between_convolutions
// CHECK: genie.kernel "conv"(%arg0, %arg1) {layouts = [array<i64: 0, 2, 3, 1>]}
// CHECK: %[[L:.*]] = genie.kernel "conv"
// CHECK-NOT: layouts
// CHECK: return %[[L]]
func.func @between_convolutions(%x: tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>> {genie.input = "x"}, %w: tensor<4x3x1x1xf32> {genie.weight = @w}, %v: tensor<4x4x1x1xf32> {genie.weight = @v})
    -> (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.conv %x, %w {padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, tensor<4x3x1x1xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  %1 = genie.conv %0, %v {padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>, tensor<4x4x1x1xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  return %1 : tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
}

// A product that reads the image as a matrix in row-major order keeps it so.
// CHECK-LABEL: func.func @flattened_image
// CHECK: genie.kernel "conv"
// CHECK-NOT: layouts
// CHECK: return
func.func @flattened_image(%x: tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>> {genie.input = "x"}, %w: tensor<4x3x1x1xf32> {genie.weight = @w}, %v: tensor<5x256xf32> {genie.weight = @u})
    -> (tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.conv %x, %w {padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, tensor<4x3x1x1xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  %1 = genie.reshape %0 : (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>) -> tensor<?x256xf32, affine_map<()[s0] -> (s0, 256)>>
  %2 = genie.linear %1, %v : (tensor<?x256xf32, affine_map<()[s0] -> (s0, 256)>>, tensor<5x256xf32>) -> tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>>
  return %2 : tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 3, 1, 1, 1>} : tensor<4x3x1x1xf32>
genie.weight @v {file = "w.bin", offset = 0 : i64, strides = array<i64: 4, 1, 1, 1>} : tensor<4x4x1x1xf32>
genie.weight @u {file = "w.bin", offset = 0 : i64, strides = array<i64: 256, 1>} : tensor<5x256xf32>
