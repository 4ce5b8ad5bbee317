// bf16 is widened by a shift and rounded by integer arithmetic, f16 by its instructions: both in vectors, for both targets.
// RUN: geniec %s --emit=asm --target x86-64-v4 --opt-level 3 | FileCheck %s --check-prefix=V4
// RUN: geniec %s --emit=asm --target x86-64-v3 --opt-level 3 | FileCheck %s --check-prefix=V3

// V4-LABEL: pointwise_0:
// V4-NOT: call
// V4: vpslld $16, %zmm
// V4-NOT: call
// V4-LABEL: pointwise_1:
// V4-NOT: call
// V4: vcvtph2ps {{.*}}%zmm
// V4: vcvtps2ph
// V4-NOT: call
// V4-LABEL: memcpy:

// V3-LABEL: pointwise_0:
// V3-NOT: zmm
// V3-NOT: call
// V3: vpslld $16, %ymm
// V3-NOT: call
// V3-LABEL: pointwise_1:
// V3-NOT: call
// V3: vcvtph2ps {{.*}}%ymm
// V3: vcvtps2ph
// V3-NOT: call
// V3-LABEL: memcpy:
func.func @main(%a: tensor<1024xbf16> {genie.input = "a"}, %b: tensor<1024xf16> {genie.input = "b"}) -> (tensor<1024xbf16> {genie.output = "y"}, tensor<1024xf16> {genie.output = "z"}) {
  %0 = genie.mul %a, %a : (tensor<1024xbf16>, tensor<1024xbf16>) -> tensor<1024xbf16>
  %1 = genie.mul %b, %b : (tensor<1024xf16>, tensor<1024xf16>) -> tensor<1024xf16>
  return %0, %1 : tensor<1024xbf16>, tensor<1024xf16>
}
