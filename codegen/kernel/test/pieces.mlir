// A concatenation is computed piece by piece: each piece has a loop that copies whole vectors, with no mask and no choice.
// RUN: geniec %s --emit=asm --target x86-64-v4 --opt-level 3 | FileCheck %s

// CHECK-LABEL: pointwise_pieces_0:
// CHECK-NOT: {%k
// CHECK: vmovups
// CHECK-NOT: {%k
// CHECK-LABEL: memcpy:
func.func @main(%a: tensor<8x128xf32> {genie.input = "a"}) -> (tensor<8x128xf32> {genie.output = "y"}) {
  %0 = genie.slice %a {axis = 1 : i64, start = affine_map<() -> (64)>} : (tensor<8x128xf32>) -> tensor<8x64xf32>
  %1 = genie.neg %0 : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %2 = genie.slice %a {axis = 1 : i64, start = affine_map<() -> (0)>} : (tensor<8x128xf32>) -> tensor<8x64xf32>
  %3 = genie.concat %1, %2 {axis = 1 : i64} : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x128xf32>
  %4 = genie.add %3, %a : (tensor<8x128xf32>, tensor<8x128xf32>) -> tensor<8x128xf32>
  return %4 : tensor<8x128xf32>
}
