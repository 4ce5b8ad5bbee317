// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// Isomorphic parts in a chain are layers; the boundary lies where the fewest values cross.

// CHECK-LABEL: func.func @three_layers
// CHECK-SAME: genie.stacks = [{crossing = 1 : i64, kind = "", layers = 3 : i64, ops = 4 : i64}]
// CHECK: genie.linear {{.*}}genie.layer = 0 : i64{{.*}}genie.stack = 0 : i64
// CHECK: genie.add {{.*}}genie.layer = 0 : i64
// CHECK: genie.linear {{.*}}genie.layer = 1 : i64
// CHECK: genie.linear {{.*}}genie.layer = 1 : i64
// CHECK: genie.linear {{.*}}genie.layer = 2 : i64
// CHECK: genie.linear {{.*}}genie.layer = 2 : i64
// CHECK: genie.add {{.*}}genie.layer = 2 : i64
// CHECK: genie.tanh
// CHECK-NOT: genie.layer
// CHECK: return
func.func @three_layers(%x: tensor<2x8xf32> {genie.input = "x"}, %a: tensor<8x8xf32> {genie.weight = @a}, %b: tensor<8x8xf32> {genie.weight = @b}) -> (tensor<2x8xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = genie.relu %0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %2 = genie.linear %1, %b : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %3 = genie.add %x, %2 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %4 = genie.linear %3, %b : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %5 = genie.relu %4 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %6 = genie.linear %5, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %7 = genie.add %3, %6 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %8 = genie.linear %7, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %9 = genie.relu %8 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %10 = genie.linear %9, %b : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %11 = genie.add %7, %10 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %12 = genie.tanh %11 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return %12 : tensor<2x8xf32>
}

// Equal parts beside each other are no layers.
// CHECK-LABEL: func.func @side_by_side
// CHECK-NOT: genie.layer
// CHECK: return
func.func @side_by_side(%x: tensor<2x8xf32> {genie.input = "x"}, %a: tensor<8x8xf32> {genie.weight = @a}) -> (tensor<2x8xf32> {genie.output = "y"}, tensor<2x8xf32> {genie.output = "z"}) {
  %0 = genie.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = genie.relu %0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %2 = genie.linear %1, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %3 = genie.tanh %2 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %4 = genie.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %5 = genie.relu %4 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %6 = genie.linear %5, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %7 = genie.tanh %6 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return %3, %7 : tensor<2x8xf32>, tensor<2x8xf32>
}
// Layers with attention over all are an encoder; with causal attention of a model that scores tokens, a decoder.
// CHECK-LABEL: func.func @encoder
// CHECK-SAME: kind = "encoder", layers = 2
func.func @encoder(%ids: tensor<1x6xi64> {genie.input = "ids"}, %t: tensor<30x8xf32> {genie.weight = @t}, %a: tensor<8x8xf32> {genie.weight = @a}) -> (tensor<1x6x8xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %q0 = genie.linear %x, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %a0 = genie.attention %q0, %q0, %q0 {scale = 1.0 : f64} : (tensor<1x6x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %o0 = genie.linear %a0, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %x1 = genie.add %x, %o0 : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %q1 = genie.linear %x1, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %a1 = genie.attention %q1, %q1, %q1 {scale = 1.0 : f64} : (tensor<1x6x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %o1 = genie.linear %a1, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %x2 = genie.add %x1, %o1 : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  return %x2 : tensor<1x6x8xf32>
}

// CHECK-LABEL: func.func @decoder
// CHECK-SAME: kind = "decoder", layers = 2
func.func @decoder(%ids: tensor<1x6xi64> {genie.input = "ids"}, %t: tensor<30x8xf32> {genie.weight = @t}, %a: tensor<8x8xf32> {genie.weight = @a}) -> (tensor<1x6x30xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %q0 = genie.linear %x, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %a0 = genie.attention %q0, %q0, %q0 {is_causal = true, scale = 1.0 : f64} : (tensor<1x6x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %o0 = genie.linear %a0, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %x1 = genie.add %x, %o0 : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %q1 = genie.linear %x1, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %a1 = genie.attention %q1, %q1, %q1 {is_causal = true, scale = 1.0 : f64} : (tensor<1x6x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %o1 = genie.linear %a1, %a : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %x2 = genie.add %x1, %o1 : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %y = genie.linear %x2, %t : (tensor<1x6x8xf32>, tensor<30x8xf32>) -> tensor<1x6x30xf32>
  return %y : tensor<1x6x30xf32>
}
genie.weight @t {file = "w.bin", offset = 512 : i64, strides = array<i64: 8, 1>} : tensor<30x8xf32>
genie.weight @a {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @b {file = "w.bin", offset = 256 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
