// RUN: geniec %s --run-pass=merge-linears,fuse-anchors | FileCheck %s
// The products that make query, key and value become one, and attention reads slices of its result.

// CHECK-LABEL: func.func @query_key_value
// CHECK: %[[W:.*]] = genie.concat %arg1, %arg2, %arg3 {axis = 0 : i64}
// CHECK: %[[P:.*]] = genie.kernel "gemm"(%arg0, %[[W]]) : {{.*}} -> tensor<2x?x24xf32
// CHECK: genie.kernel "attention"(%[[P]]) : {{.*}} {
// CHECK-COUNT-3: genie.slice
// CHECK: genie.attention
// CHECK-NOT: genie.kernel "gemm"
func.func @query_key_value(%x: tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>> {genie.input = "x"},
      %a: tensor<8x8xf32> {genie.weight = @a}, %b: tensor<8x8xf32> {genie.weight = @b}, %c: tensor<8x8xf32> {genie.weight = @c})
    -> (tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.linear %x, %a : (tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>, tensor<8x8xf32>) -> tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>
  %1 = genie.linear %x, %b : (tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>, tensor<8x8xf32>) -> tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>
  %2 = genie.linear %x, %c : (tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>, tensor<8x8xf32>) -> tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>
  %3 = genie.attention %0, %1, %2 {scale = 0.5 : f64}
      : (tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>, tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>, tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>)
      -> tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>
  return %3 : tensor<2x?x8xf32, affine_map<()[s0] -> (2, s0, 8)>>
}

// Products that others read, or whose epilogue would be lost, stay apart.
// CHECK-LABEL: func.func @activations_stay_apart
// CHECK-COUNT-2: genie.kernel "gemm"
func.func @activations_stay_apart(%x: tensor<2x8xf32> {genie.input = "x"}, %a: tensor<8x8xf32> {genie.weight = @a}, %b: tensor<8x8xf32> {genie.weight = @b})
    -> (tensor<2x8xf32> {genie.output = "y"}) {
  %0 = genie.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = genie.linear %x, %b : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %2 = genie.silu %0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %3 = genie.mul %2, %1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  return %3 : tensor<2x8xf32>
}
genie.weight @a {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @b {file = "w.bin", offset = 256 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @c {file = "w.bin", offset = 512 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
