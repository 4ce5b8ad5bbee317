// PTX of the row and pointwise families: neighbours are loaded and stored at once, nothing is called, nothing is in local
// memory.
// RUN: geniec %s --emit=asm --target cuda:sm_80,cuda:sm_90 --libraries none --opt-level 3 | FileCheck %s

// CHECK: # target cuda:sm_80
// CHECK: .target sm_80
// CHECK-NOT: .local
// CHECK-NOT: call
// CHECK: # target cuda:sm_90
// CHECK: .target sm_90
// CHECK-NOT: .local
// CHECK-NOT: call
// CHECK: .entry pointwise_0(
// CHECK: .reqntid 256
// CHECK: ld.global{{.*}}.v4.b32
// CHECK: st.global.v4.b32
// CHECK-NOT: .local
// CHECK-NOT: call
// CHECK: .entry softmax_f32_1(
// CHECK: ld.global{{.*}}.v4.b32
// CHECK: shfl.sync.bfly
// CHECK: st.global.v4.b32
// CHECK-NOT: .local
// CHECK-NOT: call
// CHECK: .entry gemv_f32_2(
// CHECK: ld.global{{.*}}.v4.b32
// CHECK: ld.global{{.*}}.v4.b32
// CHECK-NOT: .local
// CHECK-NOT: call
// CHECK: .entry gemm_mma_f32_3(
// CHECK: ld.global{{.*}}.v4.b32
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-NOT: .local
// CHECK-NOT: call
func.func @main(%a: tensor<4096x4096xf32> {genie.input = "a"},
                %w: tensor<4096x4096xbf16> {genie.input = "w"}, %u: tensor<4096x4096xf32> {genie.input = "u"},
                %v: tensor<2x4096xf32> {genie.input = "v"})
    -> (tensor<4096x4096xf32> {genie.output = "p"}, tensor<4096x4096xf32> {genie.output = "s"},
        tensor<2x4096xf32> {genie.output = "g"}, tensor<4096x4096xbf16> {genie.output = "m"}) {
  %0 = genie.silu %a : (tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %1 = genie.softmax %u {axis = 1 : i64} : (tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %2 = genie.linear %v, %u : (tensor<2x4096xf32>, tensor<4096x4096xf32>) -> tensor<2x4096xf32>
  %3 = genie.linear %w, %w : (tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) -> tensor<4096x4096xbf16>
  return %0, %1, %2, %3 : tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<2x4096xf32>, tensor<4096x4096xbf16>
}
