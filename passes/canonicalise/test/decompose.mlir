// RUN: geniec %s --run-pass=decompose | FileCheck %s
// Ops without a kernel become ops that have one.

// Behind a convolution that nobody else reads, batch_norm changes its weight and bias and is gone.
// CHECK-LABEL: func.func @batch_norm_folds_into_conv
// CHECK: %[[SCALE:.*]] = genie.mul %{{.*}}, %arg2
// CHECK: %[[W:.*]] = genie.mul %arg1,
// CHECK: %[[Y:.*]] = genie.conv %arg0, %[[W]], %{{.*}} {
// CHECK-NEXT: return %[[Y]]
func.func @batch_norm_folds_into_conv(%x: tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>> {genie.input = "x"},
      %w: tensor<4x3x1x1xf32> {genie.weight = @w}, %g: tensor<4xf32> {genie.weight = @v}, %b: tensor<4xf32> {genie.weight = @v},
      %m: tensor<4xf32> {genie.weight = @v}, %v: tensor<4xf32> {genie.weight = @v})
    -> (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.conv %x, %w {stride = array<i64: 1, 1>, padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, dilation = array<i64: 1, 1>}
      : (tensor<?x3x8x8xf32, affine_map<()[s0] -> (s0, 3, 8, 8)>>, tensor<4x3x1x1xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  %1 = genie.batch_norm %0, %g, %b, %m, %v {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>}
      : (tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
  return %1 : tensor<?x4x8x8xf32, affine_map<()[s0] -> (s0, 4, 8, 8)>>
}

// CHECK-LABEL: func.func @batch_norm_alone_scales_channels
// CHECK: %[[S:.*]] = genie.reshape %{{.*}} : (tensor<4xf32>) -> tensor<4x1x1xf32>
// CHECK: genie.mul %arg0, %[[S]]
// CHECK: genie.add
func.func @batch_norm_alone_scales_channels(%x: tensor<1x4x8x8xf32> {genie.input = "x"}, %m: tensor<4xf32> {genie.weight = @v}, %v: tensor<4xf32> {genie.weight = @v})
    -> (tensor<1x4x8x8xf32> {genie.output = "y"}) {
  %0 = genie.batch_norm %x, %m, %v {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0, 1, 1>}
      : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  return %0 : tensor<1x4x8x8xf32>
}

// CHECK-LABEL: func.func @group_norm_is_a_layer_norm_of_groups
// CHECK: %[[G:.*]] = genie.reshape %arg0 : (tensor<2x6x4x4xf32>) -> tensor<2x3x32xf32>
// CHECK: genie.layer_norm %[[G]]
// CHECK: genie.mul
func.func @group_norm_is_a_layer_norm_of_groups(%x: tensor<2x6x4x4xf32> {genie.input = "x"}, %w: tensor<6xf32> {genie.weight = @u})
    -> (tensor<2x6x4x4xf32> {genie.output = "y"}) {
  %0 = genie.group_norm %x, %w {groups = 3 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 0>}
      : (tensor<2x6x4x4xf32>, tensor<6xf32>) -> tensor<2x6x4x4xf32>
  return %0 : tensor<2x6x4x4xf32>
}

// CHECK-LABEL: func.func @pooling_to_one_is_a_mean
// CHECK-NEXT: genie.mean %arg0 {axes = array<i64: 2, 3>, keepdim = true}
func.func @pooling_to_one_is_a_mean(%x: tensor<2x6x4x4xf32> {genie.input = "x"}) -> (tensor<2x6x1x1xf32> {genie.output = "y"}) {
  %0 = genie.adaptive_avg_pool %x : (tensor<2x6x4x4xf32>) -> tensor<2x6x1x1xf32>
  return %0 : tensor<2x6x1x1xf32>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 3, 1, 1, 1>} : tensor<4x3x1x1xf32>
genie.weight @v {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
genie.weight @u {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<6xf32>

// A product of integers is a sum of products, in the dtype that the product had.
// CHECK-LABEL: func.func @a_product_of_integers_is_a_sum
// CHECK: %[[A:.*]] = genie.reshape %arg0 {{.*}} -> tensor<3x1x5xi32>
// CHECK: %[[P:.*]] = genie.mul %[[A]], %{{.*}} -> tensor<3x4x5xi32>
// CHECK: %[[S:.*]] = genie.sum %[[P]] {axes = array<i64: 2>{{.*}} -> tensor<3x4xi32>
// CHECK: return %[[S]]
func.func @a_product_of_integers_is_a_sum(%x: tensor<3x5xi32> {genie.input = "x"}, %w: tensor<5x4xi32> {genie.input = "w"})
    -> (tensor<3x4xi32> {genie.output = "y"}) {
  %0 = genie.matmul %x, %w : (tensor<3x5xi32>, tensor<5x4xi32>) -> tensor<3x4xi32>
  return %0 : tensor<3x4xi32>
}
