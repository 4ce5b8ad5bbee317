// RUN: geniec %s --run-pass=fuse-singletons,verify-fused | FileCheck %s
// Without fusion every op has a kernel of its own, and views are copies.

// CHECK-LABEL: func.func @main
// CHECK: genie.kernel "pointwise"
// CHECK-NEXT: ^bb0
// CHECK-NEXT: genie.reshape
// CHECK-NEXT: genie.yield
// CHECK: genie.kernel "row"
// CHECK-NEXT: ^bb0
// CHECK-NEXT: genie.softmax
// CHECK-NEXT: genie.yield
func.func @main(%x: tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>> {genie.input = "x"}) -> (tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.reshape %x : (tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>) -> tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>>
  %1 = genie.softmax %0 {axis = 2 : i64} : (tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>>) -> tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>>
  return %1 : tensor<?x2x4xf32, affine_map<()[s0] -> (s0, 2, 4)>>
}
