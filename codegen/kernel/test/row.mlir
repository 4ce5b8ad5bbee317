// Rows are reduced in several vector chains and softmax takes its exponentials inline; no function is called.
// RUN: geniec %s --emit=asm --target x86-64-v4 --opt-level 3 | FileCheck %s

// CHECK-LABEL: softmax_f32_0:
// CHECK-NOT: call
// CHECK-DAG: vmaxps {{.*}}%zmm
// CHECK-DAG: vfmadd{{.*}} %zmm
// CHECK-NOT: call
// CHECK-LABEL: reduce_f32_1:
// CHECK-COUNT-4: vaddps {{.*}}%zmm
// CHECK-NOT: call
// CHECK-LABEL: memcpy:
func.func @main(%a: tensor<128x768xf32> {genie.input = "a"}) -> (tensor<128x768xf32> {genie.output = "y"}, tensor<128xf32> {genie.output = "z"}) {
  %0 = genie.softmax %a {axis = 1 : i64} : (tensor<128x768xf32>) -> tensor<128x768xf32>
  %1 = genie.sum %a {axes = array<i64: 1>} : (tensor<128x768xf32>) -> tensor<128xf32>
  return %0, %1 : tensor<128x768xf32>, tensor<128xf32>
}
