// RUN: geniec %s --run-pass=cse | FileCheck %s
// Ops that compute the same become one, wherever in the model they come from.

// CHECK-LABEL: func.func @equal_ops_merge
// CHECK: %[[R:.*]] = genie.relu %arg0
// CHECK-NOT: genie.relu
// CHECK: genie.add %[[R]], %[[R]]
func.func @equal_ops_merge(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.relu %x {genie.module = "a:ReLU"} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.relu %x {genie.module = "b:ReLU"} : (tensor<4xf32>) -> tensor<4xf32>
  %2 = genie.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// CHECK-LABEL: func.func @other_attributes_differ
// CHECK: genie.softmax %arg0 {axis = 0 : i64}
// CHECK: genie.softmax %arg0 {axis = 1 : i64}
func.func @other_attributes_differ(%x: tensor<4x4xf32> {genie.input = "x"}) -> (tensor<4x4xf32> {genie.output = "y"}) {
  %0 = genie.softmax %x {axis = 0 : i64} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = genie.softmax %x {axis = 1 : i64} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = genie.add %0, %1 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}
