// RUN: geniec %s --run-pass=fold | FileCheck %s
// Small values that follow from constants are constants; what needs a weight, or is large, is left to the plan.

// CHECK-LABEL: func.func @positions
// CHECK: %[[C:.*]] = genie.constant dense<[1, 5]> : tensor<2xi64>
// CHECK-NEXT: genie.embedding %arg0, %[[C]]
func.func @positions(%t: tensor<10x8xf32> {genie.input = "t"}) -> (tensor<2x8xf32> {genie.output = "y"}) {
  %i = genie.constant dense<[0, 2]> : tensor<2xi64>
  %two = genie.constant dense<2> : tensor<i64>
  %one = genie.constant dense<1> : tensor<i64>
  %0 = genie.mul %i, %two : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %1 = genie.add %0, %one : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %2 = genie.embedding %t, %1 : (tensor<10x8xf32>, tensor<2xi64>) -> tensor<2x8xf32>
  return %2 : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @weights_stay
// CHECK: genie.add %arg0
func.func @weights_stay(%w: tensor<4xf32> {genie.weight = @w}) -> (tensor<4xf32> {genie.output = "y"}) {
  %one = genie.constant dense<1.0> : tensor<f32>
  %0 = genie.add %w, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @masks_of_indices_stay
// CHECK: genie.iota
// CHECK: genie.iota
// CHECK: genie.le
func.func @masks_of_indices_stay() -> (tensor<16x16xi1> {genie.output = "y"}) {
  %0 = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 1 : i64} : () -> tensor<16x16xi64>
  %1 = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 0 : i64} : () -> tensor<16x16xi64>
  %2 = genie.le %0, %1 : (tensor<16x16xi64>, tensor<16x16xi64>) -> tensor<16x16xi1>
  return %2 : tensor<16x16xi1>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
