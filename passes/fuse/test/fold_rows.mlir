// On a GPU the norm in front of a product of few rows is part of its kernel, and a gated product's gate of the next one;
// on a CPU they stay kernels of their own.
// RUN: geniec %s --emit=fuse --target cuda:sm_90 | FileCheck %s
// RUN: geniec %s --emit=fuse --target x86-64-v3 | FileCheck %s --check-prefix=CPU

// CHECK-COUNT-2: genie.kernel "gemm"
// CHECK-NOT: genie.kernel
// CPU: genie.kernel "row"
// CPU: genie.kernel "gemm"
// CPU: genie.kernel "pointwise"
// CPU: genie.kernel "gemm"
func.func @main(%x: tensor<1x2048xbf16> {genie.input = "x"}, %g: tensor<2048xbf16> {genie.input = "g"},
                %w: tensor<16384x2048xbf16> {genie.input = "w"}, %v: tensor<2048x8192xbf16> {genie.input = "v"})
    -> (tensor<1x2048xbf16> {genie.output = "y"}) {
  %0 = genie.rms_norm %x, %g {eps = 1.0e-5 : f64, normalized_rank = 1 : i64} : (tensor<1x2048xbf16>, tensor<2048xbf16>) -> tensor<1x2048xbf16>
  %1 = genie.linear %0, %w : (tensor<1x2048xbf16>, tensor<16384x2048xbf16>) -> tensor<1x16384xbf16>
  %2 = genie.slice %1 {axis = 1 : i64, start = affine_map<()[] -> (0)>, step = 1 : i64} : (tensor<1x16384xbf16>) -> tensor<1x8192xbf16>
  %3 = genie.slice %1 {axis = 1 : i64, start = affine_map<()[] -> (8192)>, step = 1 : i64} : (tensor<1x16384xbf16>) -> tensor<1x8192xbf16>
  %4 = genie.silu %2 : (tensor<1x8192xbf16>) -> tensor<1x8192xbf16>
  %5 = genie.mul %4, %3 : (tensor<1x8192xbf16>, tensor<1x8192xbf16>) -> tensor<1x8192xbf16>
  %6 = genie.linear %5, %v : (tensor<1x8192xbf16>, tensor<2048x8192xbf16>) -> tensor<1x2048xbf16>
  return %6 : tensor<1x2048xbf16>
}
