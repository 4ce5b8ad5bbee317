// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// RUN: geniec %s --run-pass=recognise-semantics,recognise-semantics | FileCheck %s
// RUN: geniec %s --emit=fuse | FileCheck %s --check-prefix=FUSED
// What the user says stands and spreads; what was guessed may be guessed anew. Kernels take it over.

// CHECK-LABEL: func.func @said
// CHECK: genie.linear {{.*}}genie.phase = "prefill"}
// CHECK: genie.relu {{.*}}genie.confidence = {{{.*}}phase = {{.*}}genie.phase = "prefill"
// FUSED: genie.kernel "gemm"{{.*}}genie.phase = "prefill"
func.func @said(%x: tensor<2x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<2x8xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %w {genie.phase = "prefill"} : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = genie.relu %0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// A word that no recogniser knows stands as well.
// CHECK-LABEL: func.func @own_word
// CHECK: genie.conv {{.*}}genie.phase = "warm-up"
func.func @own_word(%pixels: tensor<1x3x8x8xf32> {genie.input = "pixels"}, %k: tensor<4x3x3x3xf32> {genie.weight = @k}) -> (tensor<1x4x6x6xf32> {genie.output = "y"}) {
  %0 = genie.conv %pixels, %k {genie.phase = "warm-up", stride = array<i64: 1, 1>, padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, dilation = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  return %0 : tensor<1x4x6x6xf32>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @k {file = "w.bin", offset = 0 : i64, strides = array<i64: 27, 9, 3, 1>} : tensor<4x3x3x3xf32>
