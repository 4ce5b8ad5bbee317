// Equal kernels are one kernel, whatever model path they come from; another attribute makes another kernel.
// RUN: geniec %s --emit=llvm --target x86-64-v4 | FileCheck %s

// CHECK: define {{.*}}@softmax_strided_f32_0(
// CHECK: define {{.*}}@softmax_f32_1(
// CHECK-NOT: define {{.*}}@softmax
func.func @main(%a: tensor<64x64xf32> {genie.input = "a"}) -> (tensor<64x64xf32> {genie.output = "y"}) {
  %0 = genie.softmax %a {axis = 0 : i64, genie.module = "layer.0:Softmax"} : (tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = genie.softmax %0 {axis = 0 : i64, genie.module = "layer.1:Softmax"} : (tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = genie.softmax %1 {axis = 1 : i64} : (tensor<64x64xf32>) -> tensor<64x64xf32>
  return %2 : tensor<64x64xf32>
}
