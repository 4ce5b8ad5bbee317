// A pointwise kernel is one vector loop over all elements, without a call, and its transcendental functions are inline.
// RUN: geniec %s --emit=asm --target x86-64-v4 --opt-level 3 | FileCheck %s

// CHECK-LABEL: pointwise_0:
// CHECK-NOT: call
// CHECK: vfmadd{{.*}} %zmm
// CHECK-NOT: call
// CHECK: vmovups %zmm{{[0-9]+}}, (
// CHECK-NOT: {{v(add|mul|div)ss}}
// CHECK-NOT: call
// CHECK: ret
func.func @main(%a: tensor<4x16x64xf32> {genie.input = "a"}) -> (tensor<4x16x64xf32> {genie.output = "y"}) {
  %0 = genie.exp %a : (tensor<4x16x64xf32>) -> tensor<4x16x64xf32>
  %1 = genie.silu %0 : (tensor<4x16x64xf32>) -> tensor<4x16x64xf32>
  %2 = genie.mul %1, %a : (tensor<4x16x64xf32>, tensor<4x16x64xf32>) -> tensor<4x16x64xf32>
  return %2 : tensor<4x16x64xf32>
}
