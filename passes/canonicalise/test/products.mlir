// RUN: geniec %s --run-pass=simplify | FileCheck %s
// Products with weights take the composite form that has the fast kernel.

// CHECK-LABEL: func.func @matmul_with_a_weight_is_linear
// CHECK: %[[T:.*]] = genie.permute %arg1 {permutation = array<i64: 1, 0>}
// CHECK: genie.linear %arg0, %[[T]], %arg2
// CHECK-NEXT: return
func.func @matmul_with_a_weight_is_linear(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"},
      %w: tensor<8x6xf32> {genie.weight = @w}, %b: tensor<6xf32> {genie.weight = @b})
    -> (tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.matmul %x, %w : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<8x6xf32>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  %1 = genie.add %b, %0 : (tensor<6xf32>, tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>) -> tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
  return %1 : tensor<?x6xf32, affine_map<()[s0] -> (s0, 6)>>
}

// CHECK-LABEL: func.func @matmul_of_two_inputs_stays
// CHECK-NEXT: genie.matmul
func.func @matmul_of_two_inputs_stays(%x: tensor<4x8xf32> {genie.input = "x"}, %w: tensor<8x6xf32> {genie.input = "w"})
    -> (tensor<4x6xf32> {genie.output = "y"}) {
  %0 = genie.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @zeros_around_an_image_are_padding
// CHECK-NEXT: genie.conv %arg0, %arg1 {{.*}}padding_high = array<i64: 2, 1>, padding_low = array<i64: 1, 1>
func.func @zeros_around_an_image_are_padding(%x: tensor<1x3x8x8xf32> {genie.input = "x"}, %w: tensor<4x3x3x3xf32> {genie.weight = @k})
    -> (tensor<1x4x9x8xf32> {genie.output = "y"}) {
  %0 = genie.pad %x {low = array<i64: 0, 0, 0, 1>, high = array<i64: 0, 0, 1, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x9x10xf32>
  %1 = genie.conv %0, %w {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 0>, padding_high = array<i64: 1, 0>, dilation = array<i64: 1, 1>}
      : (tensor<1x3x9x10xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x9x8xf32>
  return %1 : tensor<1x4x9x8xf32>
}
// A product of flattened rows is a product of rows: the reshapes around it go, and what follows joins it.
// CHECK-LABEL: func.func @flattened_rows
// CHECK-NEXT: %[[L:.*]] = genie.linear %arg0, %arg1 : (tensor<2x4x8xf32>, tensor<6x8xf32>) -> tensor<2x4x6xf32>
// CHECK-NEXT: genie.mul %[[L]], %[[L]]
func.func @flattened_rows(%x: tensor<2x4x8xf32> {genie.input = "x"}, %w: tensor<6x8xf32> {genie.weight = @r}) -> (tensor<2x4x6xf32> {genie.output = "y"}) {
  %0 = genie.reshape %x : (tensor<2x4x8xf32>) -> tensor<8x8xf32>
  %1 = genie.linear %0, %w : (tensor<8x8xf32>, tensor<6x8xf32>) -> tensor<8x6xf32>
  %2 = genie.reshape %1 : (tensor<8x6xf32>) -> tensor<2x4x6xf32>
  %3 = genie.mul %2, %2 : (tensor<2x4x6xf32>, tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  return %3 : tensor<2x4x6xf32>
}
genie.weight @r {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>

// CHECK-LABEL: func.func @convolution_of_single_pixels_is_linear
// CHECK: genie.linear {{.*}} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: genie.reshape
func.func @convolution_of_single_pixels_is_linear(%x: tensor<2x3x1x1xf32> {genie.input = "x"}, %w: tensor<4x3x1x1xf32> {genie.weight = @p}, %b: tensor<4xf32> {genie.weight = @q})
    -> (tensor<2x4x1x1xf32> {genie.output = "y"}) {
  %0 = genie.conv %x, %w, %b {stride = array<i64: 1, 1>, padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, dilation = array<i64: 1, 1>}
      : (tensor<2x3x1x1xf32>, tensor<4x3x1x1xf32>, tensor<4xf32>) -> tensor<2x4x1x1xf32>
  return %0 : tensor<2x4x1x1xf32>
}
genie.weight @p {file = "w.bin", offset = 0 : i64, strides = array<i64: 3, 1, 1, 1>} : tensor<4x3x1x1xf32>
genie.weight @q {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 6, 1>} : tensor<8x6xf32>
genie.weight @b {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<6xf32>
genie.weight @k {file = "w.bin", offset = 0 : i64, strides = array<i64: 27, 9, 3, 1>} : tensor<4x3x3x3xf32>

// Two batch dimensions that were made one for a product are two again.
// CHECK-LABEL: func.func @flattened_batch
// CHECK-NEXT: genie.matmul %arg0, %arg1 : (tensor<2x3x4x5xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x4x4xf32>
// CHECK-NEXT: return
func.func @flattened_batch(%a: tensor<2x3x4x5xf32> {genie.input = "a"}, %b: tensor<2x3x5x4xf32> {genie.input = "b"})
    -> (tensor<2x3x4x4xf32> {genie.output = "y"}) {
  %0 = genie.reshape %a : (tensor<2x3x4x5xf32>) -> tensor<6x4x5xf32>
  %1 = genie.reshape %b : (tensor<2x3x5x4xf32>) -> tensor<6x5x4xf32>
  %2 = genie.matmul %0, %1 : (tensor<6x4x5xf32>, tensor<6x5x4xf32>) -> tensor<6x4x4xf32>
  %3 = genie.reshape %2 : (tensor<6x4x4xf32>) -> tensor<2x3x4x4xf32>
  return %3 : tensor<2x3x4x4xf32>
}

// A bias that is reshaped after the product joins it where both are known.
// CHECK-LABEL: func.func @a_bias_of_two_dimensions
// CHECK: %[[B:.*]] = genie.reshape %arg2
// CHECK-NEXT: genie.linear %arg0, %arg1, %[[B]]
func.func @a_bias_of_two_dimensions(%x: tensor<2x4xf32> {genie.input = "x"}, %w: tensor<3x4xf32> {genie.weight = @w2}, %b: tensor<1x3xf32> {genie.weight = @b2}) -> (tensor<2x3xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %1 = genie.add %0, %b : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}
genie.weight @w2 {file = "w.bin", offset = 0 : i64, strides = array<i64: 4, 1>} : tensor<3x4xf32>
genie.weight @b2 {file = "w.bin", offset = 64 : i64, strides = array<i64: 3, 1>} : tensor<1x3xf32>
