// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise,order | FileCheck %s

// Each wide product is reduced before the next is made.
// CHECK-LABEL: func.func @branches
// CHECK: %[[A:.*]] = genie.kernel "gemm"
// CHECK: genie.kernel "row"(%[[A]]
// CHECK: %[[B:.*]] = genie.kernel "gemm"
// CHECK: genie.kernel "row"(%[[B]]
// CHECK: %[[C:.*]] = genie.kernel "gemm"
// CHECK: genie.kernel "row"(%[[C]]
// CHECK: return
func.func @branches(%x: tensor<64x8xf32> {genie.input = "x"}, %u: tensor<512x8xf32> {genie.weight = @u}, %v: tensor<512x8xf32> {genie.weight = @v}, %w: tensor<512x8xf32> {genie.weight = @w}) -> (tensor<64xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %u : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %1 = genie.linear %x, %v : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %2 = genie.linear %x, %w : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %3 = genie.amax %0 {axes = array<i64: 1>} : (tensor<64x512xf32>) -> tensor<64xf32>
  %4 = genie.amax %1 {axes = array<i64: 1>} : (tensor<64x512xf32>) -> tensor<64xf32>
  %5 = genie.amax %2 {axes = array<i64: 1>} : (tensor<64x512xf32>) -> tensor<64xf32>
  %6 = genie.add %3, %4 : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %7 = genie.add %6, %5 : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %7 : tensor<64xf32>
}

// What gains nothing keeps its order: the wide product is the result, not a temporary.
// CHECK-LABEL: func.func @kept
// CHECK: genie.kernel "gemm"(%arg0, %arg1)
// CHECK: genie.kernel "gemm"(%arg0, %arg2)
func.func @kept(%x: tensor<64x8xf32> {genie.input = "x"}, %u: tensor<512x8xf32> {genie.weight = @u}, %v: tensor<2x8xf32> {genie.weight = @s}) -> (tensor<64x512xf32> {genie.output = "y"}, tensor<64x2xf32> {genie.output = "z"}) {
  %0 = genie.linear %x, %u : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %1 = genie.linear %x, %v : (tensor<64x8xf32>, tensor<2x8xf32>) -> tensor<64x2xf32>
  return %0, %1 : tensor<64x512xf32>, tensor<64x2xf32>
}

// The old value of the state is read before the kernel that makes the new one, although that one frees more.
// CHECK-LABEL: func.func @state
// CHECK: genie.kernel "row"(%arg1)
// CHECK: %[[NEW:.*]] = genie.kernel "gemm"(%{{.*}}, %arg3
// CHECK: genie.state_update %[[NEW]], @cache
func.func @state(%x: tensor<64x8xf32> {genie.input = "x"}, %old: tensor<64x8xf32> {genie.state = @cache}, %u: tensor<512x8xf32> {genie.weight = @u}, %v: tensor<8x512xf32> {genie.weight = @n}, %w: tensor<8x8xf32> {genie.weight = @t}) -> (tensor<64x8xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %u : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %1 = genie.softmax %old {axis = 1 : i64} : (tensor<64x8xf32>) -> tensor<64x8xf32>
  %2 = genie.linear %0, %v : (tensor<64x512xf32>, tensor<8x512xf32>) -> tensor<64x8xf32>
  %3 = genie.linear %1, %w : (tensor<64x8xf32>, tensor<8x8xf32>) -> tensor<64x8xf32>
  %4 = genie.add %3, %2 : (tensor<64x8xf32>, tensor<64x8xf32>) -> tensor<64x8xf32>
  genie.state_update %2, @cache : tensor<64x8xf32>
  return %4 : tensor<64x8xf32>
}

// On several places the order stays: it decides what overlaps with what.
// CHECK-LABEL: func.func @places
// CHECK: genie.kernel "gemm"
// CHECK: genie.kernel "gemm"
// CHECK: genie.kernel "row"
// CHECK: genie.kernel "row"
func.func @places(%x: tensor<64x8xf32> {genie.input = "x"}, %u: tensor<512x8xf32> {genie.weight = @u}, %v: tensor<512x8xf32> {genie.weight = @v}) -> (tensor<64xf32> {genie.output = "y"}, tensor<64xf32> {genie.output = "z"}) {
  %0 = genie.linear %x, %u {genie.place = 0 : i32} : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %1 = genie.linear %x, %v {genie.place = 1 : i32} : (tensor<64x8xf32>, tensor<512x8xf32>) -> tensor<64x512xf32>
  %2 = genie.amax %0 {axes = array<i64: 1>, genie.place = 0 : i32} : (tensor<64x512xf32>) -> tensor<64xf32>
  %3 = genie.amax %1 {axes = array<i64: 1>, genie.place = 1 : i32} : (tensor<64x512xf32>) -> tensor<64xf32>
  return %2, %3 : tensor<64xf32>, tensor<64xf32>
}
genie.state @cache : tensor<64x8xf32>
genie.weight @u {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<512x8xf32>
genie.weight @v {file = "w.bin", offset = 16384 : i64, strides = array<i64: 8, 1>} : tensor<512x8xf32>
genie.weight @w {file = "w.bin", offset = 32768 : i64, strides = array<i64: 8, 1>} : tensor<512x8xf32>
genie.weight @n {file = "w.bin", offset = 32768 : i64, strides = array<i64: 512, 1>} : tensor<8x512xf32>
genie.weight @t {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @s {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<2x8xf32>
