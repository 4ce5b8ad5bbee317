// A result is computed in the output's own memory; an output that is an input or a second name of a value is a copy.
// RUN: geniec %s --opt-level=0 --emit=plan | FileCheck %s

// CHECK: gplan.place "local:cpu0" device "cpu" slab 0 state 0 sum 0
// CHECK: %[[X:.*]] = gplan.input "x" "f32"
// CHECK: %[[SUM:.*]] = gplan.output "sum" "f32"
// CHECK: %[[TWICE:.*]] = gplan.output "twice" "f32"
// CHECK: %[[SAME:.*]] = gplan.output "same" "f32"
// CHECK: gplan.slice "write" %[[SUM]]
// CHECK: gplan.slice "write" %[[TWICE]]
// CHECK: gplan.slice "write" %[[SAME]]
func.func @main(%x: tensor<4x8xf32> {genie.input = "x"}, %y: tensor<4x8xf32> {genie.input = "y"})
    -> (tensor<4x8xf32> {genie.output = "sum"}, tensor<4x8xf32> {genie.output = "twice"}, tensor<4x8xf32> {genie.output = "same"}) {
  %0 = genie.add %x, %y : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %0, %x : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
