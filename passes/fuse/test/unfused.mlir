// RUN: not geniec %s --run-pass=fuse-singletons,verify-fused 2>&1 | FileCheck %s
// An op that no kernel family computes is named with its place in the model.

// CHECK: model.py:7: no kernel family computes genie.group_norm
func.func @main(%x: tensor<2x6x4x4xf32> {genie.input = "x"}) -> (tensor<2x6x4x4xf32> {genie.output = "y"}) {
  %0 = genie.group_norm %x {groups = 3 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>}
      : (tensor<2x6x4x4xf32>) -> tensor<2x6x4x4xf32> loc("model.py":7:1)
  return %0 : tensor<2x6x4x4xf32>
}
