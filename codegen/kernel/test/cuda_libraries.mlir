// Large products and channels-last convolutions are calls of libraries, bias, residual and relu with them; erf's gelu is a
// kernel behind the call; without libraries all are kernels.
// RUN: geniec %s --emit=plan --target cuda:sm_90 | FileCheck %s
// RUN: geniec %s --emit=plan --target cuda:sm_90 --libraries none | FileCheck %s --check-prefix=NONE

// CHECK: gplan.kernel "cublaslt.matmul_0" template "cublaslt.matmul" args 5 dims 18
// CHECK: gplan.kernel "cublaslt.matmul_1" template "cublaslt.matmul" args 3 dims 18
// CHECK: gplan.kernel "pointwise_2"
// CHECK: gplan.library_call place 0 stream 0 "cublaslt.matmul_0"
// CHECK: gplan.library_call place 0 stream 0 "cublaslt.matmul_1"
// CHECK: gplan.launch place 0 stream 0 "pointwise_2"
// NONE-NOT: library_call
func.func @main(%x: tensor<512x1024xf16> {genie.input = "x"}, %w: tensor<1024x1024xf16> {genie.input = "w"},
                %b: tensor<1024xf16> {genie.input = "b"}, %r: tensor<512x1024xf16> {genie.input = "r"})
    -> (tensor<512x1024xf16> {genie.output = "p"}, tensor<512x1024xf16> {genie.output = "q"}) {
  %0 = genie.linear %x, %w, %b : (tensor<512x1024xf16>, tensor<1024x1024xf16>, tensor<1024xf16>) -> tensor<512x1024xf16>
  %1 = genie.add %0, %r : (tensor<512x1024xf16>, tensor<512x1024xf16>) -> tensor<512x1024xf16>
  %2 = genie.relu %1 : (tensor<512x1024xf16>) -> tensor<512x1024xf16>
  %3 = genie.linear %r, %w : (tensor<512x1024xf16>, tensor<1024x1024xf16>) -> tensor<512x1024xf16>
  %4 = genie.gelu %3 : (tensor<512x1024xf16>) -> tensor<512x1024xf16>
  return %2, %4 : tensor<512x1024xf16>, tensor<512x1024xf16>
}
