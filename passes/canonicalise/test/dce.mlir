// RUN: geniec %s --run-pass=dce | FileCheck %s
// What nobody reads goes; what changes state stays.

// CHECK-LABEL: func.func @main
// CHECK-NOT: genie.exp
// CHECK: genie.relu
// CHECK: genie.state_update
func.func @main(%x: tensor<4xf32> {genie.input = "x"}, %s: tensor<4xf32> {genie.state = @s}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.exp %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = genie.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  genie.state_update %2, @s : tensor<4xf32>
  %3 = genie.neg %s : (tensor<4xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}
genie.state @s : tensor<4xf32>
