// A state that starts as zeros ships no weight; one that starts as something does.
// RUN: head -c 128 /dev/zero > %t.bin
// RUN: printf '%%0128d' 0 >> %t.bin
// RUN: sed 's|WEIGHTS|%t.bin|' %s > %t.mlir
// RUN: geniec %t.mlir -o %t.gplan
// RUN: genie inspect %t.gplan | FileCheck %s

// CHECK: %[[DIGITS:.*]] = gplan.weight "digits"
// CHECK-NOT: gplan.weight
// CHECK: gplan.state "empty" {{.*}} bytes 128{{$}}
// CHECK: gplan.state "full" {{.*}} bytes 128 initial %[[DIGITS]]
genie.weight @zeros {file = "WEIGHTS", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
genie.weight @digits {file = "WEIGHTS", offset = 128 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
genie.state @empty {initial = @zeros} : tensor<4x8xf32>
genie.state @full {initial = @digits} : tensor<4x8xf32>
func.func @main(%e: tensor<4x8xf32> {genie.state = @empty}, %f: tensor<4x8xf32> {genie.state = @full})
    -> (tensor<4x8xf32> {genie.output = "y"}) {
  %0 = genie.add %e, %f : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  genie.state_update %0, @full : tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
