// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// RUN: geniec %s --explain-semantics
// The kind of an attention follows from where query and key come from, the shape of the mask and the heads.

// CHECK-LABEL: func.func @self_attention
// CHECK: genie.linear {{.*}}genie.role = "projection"
// CHECK: genie.attention {{.*}}genie.attention = "self"{{.*}}genie.role = "attention"
func.func @self_attention(%x: tensor<2x6x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<2x6x8xf32> {genie.output = "y"}) {
  %q = genie.linear %x, %w : (tensor<2x6x8xf32>, tensor<8x8xf32>) -> tensor<2x6x8xf32>
  %k = genie.linear %x, %w : (tensor<2x6x8xf32>, tensor<8x8xf32>) -> tensor<2x6x8xf32>
  %y = genie.attention %q, %k, %k {scale = 1.0 : f64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return %y : tensor<2x6x8xf32>
}

// CHECK-LABEL: func.func @cross_attention
// CHECK: genie.attention {{.*}}genie.attention = "cross"
func.func @cross_attention(%x: tensor<2x6x8xf32> {genie.input = "x"}, %z: tensor<2x9x8xf32> {genie.input = "z"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<2x6x8xf32> {genie.output = "y"}) {
  %q = genie.linear %x, %w : (tensor<2x6x8xf32>, tensor<8x8xf32>) -> tensor<2x6x8xf32>
  %k = genie.linear %z, %w : (tensor<2x9x8xf32>, tensor<8x8xf32>) -> tensor<2x9x8xf32>
  %y = genie.attention %q, %k, %k {scale = 1.0 : f64} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> tensor<2x6x8xf32>
  return %y : tensor<2x6x8xf32>
}

// A comparison of places along the keys with places along the queries, joined with the mask of an input.
// CHECK-LABEL: func.func @causal_and_grouped
// CHECK: genie.attention {{.*}}genie.attention = "self,causal,grouped"
func.func @causal_and_grouped(%q: tensor<1x4x6x8xf32> {genie.input = "q"}, %pad: tensor<1x1x1x6xi1> {genie.input = "pad"}) -> (tensor<1x4x6x8xf32> {genie.output = "y"}) {
  %k = genie.slice %q {axis = 1 : i64, start = affine_map<() -> (0)>} : (tensor<1x4x6x8xf32>) -> tensor<1x2x6x8xf32>
  %i = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<6xi64>
  %row = genie.reshape %i : (tensor<6xi64>) -> tensor<6x1xi64>
  %column = genie.reshape %i : (tensor<6xi64>) -> tensor<1x6xi64>
  %le = genie.le %column, %row : (tensor<1x6xi64>, tensor<6x1xi64>) -> tensor<6x6xi1>
  %mask = genie.bitwise_and %le, %pad : (tensor<6x6xi1>, tensor<1x1x1x6xi1>) -> tensor<1x1x6x6xi1>
  %y = genie.attention %q, %k, %k, %mask {scale = 1.0 : f64} : (tensor<1x4x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x1x6x6xi1>) -> tensor<1x4x6x8xf32>
  return %y : tensor<1x4x6x8xf32>
}

// A window on both sides of the query is not causal, though each side is a comparison of places.
// CHECK-LABEL: func.func @window_on_both_sides
// CHECK: genie.attention {{.*}}genie.attention = "self", genie.confidence
func.func @window_on_both_sides(%q: tensor<1x4x64x8xf32> {genie.input = "q"}, %pad: tensor<1x1x1x64xi1> {genie.input = "pad"}) -> (tensor<1x4x64x8xf32> {genie.output = "y"}) {
  %i = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<64xi64>
  %row = genie.reshape %i : (tensor<64xi64>) -> tensor<64x1xi64>
  %column = genie.reshape %i : (tensor<64xi64>) -> tensor<1x64xi64>
  %four = genie.constant dense<4> : tensor<i64>
  %after = genie.add %row, %four : (tensor<64x1xi64>, tensor<i64>) -> tensor<64x1xi64>
  %before = genie.sub %row, %four : (tensor<64x1xi64>, tensor<i64>) -> tensor<64x1xi64>
  %le = genie.le %column, %after : (tensor<1x64xi64>, tensor<64x1xi64>) -> tensor<64x64xi1>
  %ge = genie.ge %column, %before : (tensor<1x64xi64>, tensor<64x1xi64>) -> tensor<64x64xi1>
  %window = genie.bitwise_and %le, %ge : (tensor<64x64xi1>, tensor<64x64xi1>) -> tensor<64x64xi1>
  %mask = genie.bitwise_and %window, %pad : (tensor<64x64xi1>, tensor<1x1x1x64xi1>) -> tensor<1x1x64x64xi1>
  %y = genie.attention %q, %q, %q, %mask {scale = 1.0 : f64} : (tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x1x64x64xi1>) -> tensor<1x4x64x8xf32>
  return %y : tensor<1x4x64x8xf32>
}

// Nor is a distance between the two.
// CHECK-LABEL: func.func @distance
// CHECK: genie.attention {{.*}}genie.attention = "self", genie.confidence
func.func @distance(%q: tensor<1x4x64x8xf32> {genie.input = "q"}, %pad: tensor<1x1x1x64xi1> {genie.input = "pad"}) -> (tensor<1x4x64x8xf32> {genie.output = "y"}) {
  %i = genie.iota {start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<64xi64>
  %row = genie.reshape %i : (tensor<64xi64>) -> tensor<64x1xi64>
  %column = genie.reshape %i : (tensor<64xi64>) -> tensor<1x64xi64>
  %apart = genie.sub %row, %column : (tensor<64x1xi64>, tensor<1x64xi64>) -> tensor<64x64xi64>
  %distance = genie.abs %apart : (tensor<64x64xi64>) -> tensor<64x64xi64>
  %four = genie.constant dense<4> : tensor<i64>
  %near = genie.le %distance, %four : (tensor<64x64xi64>, tensor<i64>) -> tensor<64x64xi1>
  %mask = genie.bitwise_and %near, %pad : (tensor<64x64xi1>, tensor<1x1x1x64xi1>) -> tensor<1x1x64x64xi1>
  %y = genie.attention %q, %q, %q, %mask {scale = 1.0 : f64} : (tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x1x64x64xi1>) -> tensor<1x4x64x8xf32>
  return %y : tensor<1x4x64x8xf32>
}

// A fixed matrix with nothing above its diagonal; one that keeps later keys is none.
// CHECK-LABEL: func.func @fixed_masks
// CHECK: genie.attention {{.*}}genie.attention = "self,causal"
// CHECK: genie.attention {{.*}}genie.attention = "self"
func.func @fixed_masks(%x: tensor<1x2x8xf32> {genie.input = "x"}) -> (tensor<1x2x8xf32> {genie.output = "y"}) {
  %lower = genie.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %y = genie.attention %x, %x, %x, %lower {scale = 1.0 : f64} : (tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<2x2xi1>) -> tensor<1x2x8xf32>
  %upper = genie.constant dense<[[true, true], [false, true]]> : tensor<2x2xi1>
  %z = genie.attention %y, %y, %y, %upper {scale = 1.0 : f64} : (tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<2x2xi1>) -> tensor<1x2x8xf32>
  return %z : tensor<1x2x8xf32>
}

// Scores that the model bends (a soft cap) stay spelled out, and are attention all the same.
// CHECK-LABEL: func.func @spelled_out
// CHECK: genie.softmax
// CHECK: genie.matmul {{.*}}genie.attention = "self"
func.func @spelled_out(%x: tensor<1x2x6x8xf32> {genie.input = "x"}) -> (tensor<1x2x6x8xf32> {genie.output = "y"}) {
  %t = genie.permute %x {permutation = array<i64: 0, 1, 3, 2>} : (tensor<1x2x6x8xf32>) -> tensor<1x2x8x6xf32>
  %s = genie.matmul %x, %t : (tensor<1x2x6x8xf32>, tensor<1x2x8x6xf32>) -> tensor<1x2x6x6xf32>
  %capped = genie.tanh %s : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
  %p = genie.softmax %capped {axis = 3 : i64} : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
  %y = genie.matmul %p, %x : (tensor<1x2x6x6xf32>, tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32>
  return %y : tensor<1x2x6x8xf32>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
