// RUN: geniec %s --run-pass=simplify | FileCheck %s
// Arithmetic with neutral numbers goes; powers and quotients take their cheaper form.

// CHECK-LABEL: func.func @neutral_numbers_go
// CHECK-NEXT: return %arg0
func.func @neutral_numbers_go(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %zero = genie.constant dense<0.0> : tensor<f32>
  %one = genie.constant dense<1.0> : tensor<f32>
  %0 = genie.add %x, %zero : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = genie.mul %one, %0 : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = genie.div %1, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = genie.pow %2, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = genie.neg %3 : (tensor<4xf32>) -> tensor<4xf32>
  %5 = genie.neg %4 : (tensor<4xf32>) -> tensor<4xf32>
  return %5 : tensor<4xf32>
}

// A scalar that is broadcast by a neutral op still is.
// CHECK-LABEL: func.func @broadcast_stays
// CHECK-NEXT: genie.expand %arg0 : (tensor<1x4xf32>) -> tensor<2x4xf32>
func.func @broadcast_stays(%x: tensor<1x4xf32> {genie.input = "x"}) -> (tensor<2x4xf32> {genie.output = "y"}) {
  %zero = genie.constant dense<0.0> : tensor<2x4xf32>
  %0 = genie.add %x, %zero : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @squares_are_products
// CHECK-NEXT: genie.mul %arg0, %arg0
func.func @squares_are_products(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %two = genie.constant dense<2.0> : tensor<f32>
  %0 = genie.pow %x, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @inverse_roots_are_rsqrt
// CHECK-NEXT: genie.rsqrt %arg0
func.func @inverse_roots_are_rsqrt(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %half = genie.constant dense<-0.5> : tensor<f32>
  %0 = genie.pow %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// A division is exact as a product only for a power of two.
// CHECK-LABEL: func.func @only_exact_quotients_become_products
// CHECK: genie.mul %arg0
// CHECK: genie.div
func.func @only_exact_quotients_become_products(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %eight = genie.constant dense<8.0> : tensor<f32>
  %three = genie.constant dense<3.0> : tensor<f32>
  %0 = genie.div %x, %eight : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = genie.div %0, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @silu_is_found
// CHECK-NEXT: genie.silu %arg0
func.func @silu_is_found(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.mul %0, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @exact_casts_merge
// CHECK-NEXT: genie.cast %arg0 : (tensor<4xf16>) -> tensor<4xf64>
func.func @exact_casts_merge(%x: tensor<4xf16> {genie.input = "x"}) -> (tensor<4xf64> {genie.output = "y"}) {
  %0 = genie.cast %x : (tensor<4xf16>) -> tensor<4xf32>
  %1 = genie.cast %0 : (tensor<4xf32>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
}

// CHECK-LABEL: func.func @rounding_casts_stay
// CHECK-NEXT: genie.cast
// CHECK-NEXT: genie.cast
func.func @rounding_casts_stay(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.cast %x : (tensor<4xf32>) -> tensor<4xbf16>
  %1 = genie.cast %0 : (tensor<4xbf16>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @known_conditions_choose
// CHECK-NEXT: return %arg1
func.func @known_conditions_choose(%x: tensor<4xf32> {genie.input = "x"}, %y: tensor<4xf32> {genie.input = "y"})
    -> (tensor<4xf32> {genie.output = "z"}) {
  %false = genie.constant dense<false> : tensor<i1>
  %0 = genie.where %false, %x, %y : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @neutral_conditions_go
// CHECK-NEXT: return %arg0
func.func @neutral_conditions_go(%x: tensor<4xi1> {genie.input = "x"}) -> (tensor<4xi1> {genie.output = "y"}) {
  %true = genie.constant dense<true> : tensor<i1>
  %false = genie.constant dense<false> : tensor<i1>
  %0 = genie.bitwise_and %true, %x : (tensor<i1>, tensor<4xi1>) -> tensor<4xi1>
  %1 = genie.logical_or %0, %false : (tensor<4xi1>, tensor<i1>) -> tensor<4xi1>
  return %1 : tensor<4xi1>
}
