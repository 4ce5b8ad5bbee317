// Text of a module survives parse and print: entries, symbols, weights, states, kernels, layouts and discardable attributes.
// RUN: geniec %s --emit=genie -o %t.mlir && FileCheck %s < %t.mlir
// RUN: geniec %t.mlir --emit=genie | diff %t.mlir -

// CHECK: #[[X:.*]] = affine_map<()[s0] -> (s0, 8)>
// CHECK: #[[Y:.*]] = affine_map<()[s0] -> (s0, 4)>
// CHECK: genie.weight @w {file = "model.pt2", offset = 64 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
// CHECK: genie.state @cache : tensor<1x4xf32>
// CHECK-LABEL: func.func @main(
// CHECK-SAME: tensor<?x8xf32, #[[X]]> {genie.input = "x"}
// CHECK-SAME: tensor<4x8xf32> {genie.weight = @w}
// CHECK-SAME: tensor<1x4xf32> {genie.state = @cache}
// CHECK-SAME: (tensor<?x4xf32, #[[Y]]> {genie.output = "y"})
// CHECK-SAME: genie.symbols = [{max = 64 : i64, min = 1 : i64, multiple = 1 : i64, name = "s0"}]
module {
  genie.weight @w {file = "model.pt2", offset = 64 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
  genie.state @cache : tensor<1x4xf32>
  func.func @main(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"},
                  %w: tensor<4x8xf32> {genie.weight = @w}, %c: tensor<1x4xf32> {genie.state = @cache})
      -> (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>> {genie.output = "y"})
      attributes {genie.symbols = [{name = "s0", min = 1, max = 64, multiple = 1}]} {
    // CHECK: genie.state_update %{{.*}}, @cache : tensor<1x4xf32>
    genie.state_update %c, @cache : tensor<1x4xf32>
    // CHECK: genie.kernel "gemm"(%{{.*}}, %{{.*}}) {genie.phase = "encode", layouts = [array<i64: 1, 0>]}
    // CHECK: genie.linear %{{.*}}, %{{.*}} {genie.module = "fc:Linear"} :
    %0 = genie.kernel "gemm"(%x, %w) {genie.phase = "encode", layouts = [array<i64: 1, 0>]} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<4x8xf32>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>> {
    ^bb0(%a: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, %b: tensor<4x8xf32>):
      %1 = genie.linear %a, %b {genie.module = "fc:Linear"} : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>, tensor<4x8xf32>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
      // CHECK: genie.constant dense<5.000000e-01> : tensor<f32>
      %2 = genie.constant dense<0.5> : tensor<f32>
      %3 = genie.mul %1, %2 : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>, tensor<f32>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
      genie.yield %3 : tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
    }
    return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
  }
}
