// An op whose operands or stated result do not fit is refused in one line that says what is wrong.
// RUN: split-file %s %t
// RUN: not geniec %t/result.mlir --emit=genie 2>&1 | FileCheck %t/result.mlir
// RUN: not geniec %t/symbolic_result.mlir --emit=genie 2>&1 | FileCheck %t/symbolic_result.mlir
// RUN: not geniec %t/broadcast.mlir --emit=genie 2>&1 | FileCheck %t/broadcast.mlir
// RUN: not geniec %t/dtypes.mlir --emit=genie 2>&1 | FileCheck %t/dtypes.mlir
// RUN: not geniec %t/compare.mlir --emit=genie 2>&1 | FileCheck %t/compare.mlir
// RUN: not geniec %t/condition.mlir --emit=genie 2>&1 | FileCheck %t/condition.mlir
// RUN: not geniec %t/linear.mlir --emit=genie 2>&1 | FileCheck %t/linear.mlir
// RUN: not geniec %t/bias.mlir --emit=genie 2>&1 | FileCheck %t/bias.mlir
// RUN: not geniec %t/matmul.mlir --emit=genie 2>&1 | FileCheck %t/matmul.mlir
// RUN: not geniec %t/attention.mlir --emit=genie 2>&1 | FileCheck %t/attention.mlir
// RUN: not geniec %t/mask.mlir --emit=genie 2>&1 | FileCheck %t/mask.mlir
// RUN: not geniec %t/conv.mlir --emit=genie 2>&1 | FileCheck %t/conv.mlir
// RUN: not geniec %t/window.mlir --emit=genie 2>&1 | FileCheck %t/window.mlir
// RUN: not geniec %t/axes.mlir --emit=genie 2>&1 | FileCheck %t/axes.mlir
// RUN: not geniec %t/axis.mlir --emit=genie 2>&1 | FileCheck %t/axis.mlir
// RUN: not geniec %t/norm.mlir --emit=genie 2>&1 | FileCheck %t/norm.mlir
// RUN: not geniec %t/index.mlir --emit=genie 2>&1 | FileCheck %t/index.mlir
// RUN: not geniec %t/topk.mlir --emit=genie 2>&1 | FileCheck %t/topk.mlir
// RUN: not geniec %t/lstm.mlir --emit=genie 2>&1 | FileCheck %t/lstm.mlir
// RUN: not geniec %t/size.mlir --emit=genie 2>&1 | FileCheck %t/size.mlir
// RUN: not geniec %t/iota.mlir --emit=genie 2>&1 | FileCheck %t/iota.mlir

//--- result.mlir
// CHECK: result.mlir:{{[0-9]+}}: 'genie.relu' op must have a result of type [2, 3] f32, not [2, 4] f32
func.func @f(%x: tensor<2x3xf32>) -> tensor<2x4xf32> {
  %0 = genie.relu %x : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

//--- symbolic_result.mlir
// CHECK: symbolic_result.mlir:{{[0-9]+}}: 'genie.relu' op must have a result of type [s0, 4] f32, not [s0 + 1, 4] f32
func.func @f(%x: tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0 + 1, 4)>> {
  %0 = genie.relu %x : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0 + 1, 4)>>
  return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0 + 1, 4)>>
}

//--- broadcast.mlir
// CHECK: broadcast.mlir:{{[0-9]+}}: 'genie.add' op [s0, 4] f32 and [2, 1] f32 do not broadcast: size s0 of dimension 0 against 2
func.func @f(%x: tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>, %y: tensor<2x1xf32>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>> {
  %0 = genie.add %x, %y : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>, tensor<2x1xf32>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
  return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>
}

//--- dtypes.mlir
// CHECK: dtypes.mlir:{{[0-9]+}}: 'genie.add' op operand 'rhs' is f16, not f32
func.func @f(%x: tensor<4xf32>, %y: tensor<4xf16>) -> tensor<4xf32> {
  %0 = genie.add %x, %y : (tensor<4xf32>, tensor<4xf16>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

//--- compare.mlir
// CHECK: compare.mlir:{{[0-9]+}}: 'genie.lt' op must have a result of type [4] bool, not [4] f32
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.lt %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

//--- condition.mlir
// CHECK: condition.mlir:{{[0-9]+}}: 'genie.where' op operand 'condition' is f32, not bool
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = genie.where %x, %x, %x : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

//--- linear.mlir
// CHECK: linear.mlir:{{[0-9]+}}: 'genie.linear' op x [2, 8] f32 and weight [4, 6] f32 do not match: x must be [.., K], weight [N, K]
func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x6xf32>) -> tensor<2x4xf32> {
  %0 = genie.linear %x, %w : (tensor<2x8xf32>, tensor<4x6xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

//--- bias.mlir
// CHECK: bias.mlir:{{[0-9]+}}: 'genie.linear' op bias must be [4], not [8] f32
func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<2x4xf32> {
  %0 = genie.linear %x, %w, %b : (tensor<2x8xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

//--- matmul.mlir
// CHECK: matmul.mlir:{{[0-9]+}}: 'genie.matmul' op lhs [2, 3, 4] f32 and rhs [2, 5, 6] f32 do not match
func.func @f(%x: tensor<2x3x4xf32>, %y: tensor<2x5x6xf32>) -> tensor<2x3x6xf32> {
  %0 = genie.matmul %x, %y : (tensor<2x3x4xf32>, tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return %0 : tensor<2x3x6xf32>
}

//--- attention.mlir
// CHECK: attention.mlir:{{[0-9]+}}: 'genie.attention' op query [1, 4, 8, 16] f32, key [1, 3, 8, 16] f32 and value [1, 3, 8, 16] f32 must be
func.func @f(%q: tensor<1x4x8x16xf32>, %k: tensor<1x3x8x16xf32>) -> tensor<1x4x8x16xf32> {
  %0 = genie.attention %q, %k, %k {scale = 0.25 : f64} : (tensor<1x4x8x16xf32>, tensor<1x3x8x16xf32>, tensor<1x3x8x16xf32>) -> tensor<1x4x8x16xf32>
  return %0 : tensor<1x4x8x16xf32>
}

//--- mask.mlir
// CHECK: mask.mlir:{{[0-9]+}}: 'genie.attention' op [1, 4, 8, 8] f32 and [1, 1, 8, 7] f32 do not broadcast
func.func @f(%q: tensor<1x4x8x16xf32>, %m: tensor<1x1x8x7xf32>) -> tensor<1x4x8x16xf32> {
  %0 = genie.attention %q, %q, %q, %m {scale = 0.25 : f64} : (tensor<1x4x8x16xf32>, tensor<1x4x8x16xf32>, tensor<1x4x8x16xf32>, tensor<1x1x8x7xf32>) -> tensor<1x4x8x16xf32>
  return %0 : tensor<1x4x8x16xf32>
}

//--- conv.mlir
// CHECK: conv.mlir:{{[0-9]+}}: 'genie.conv' op x [1, 3, 8, 8] f32 and weight [16, 4, 3, 3] f32 do not match with 1 groups
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<16x4x3x3xf32>) -> tensor<1x16x6x6xf32> {
  %0 = genie.conv %x, %w {stride = array<i64: 1, 1>, padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, dilation = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<16x4x3x3xf32>) -> tensor<1x16x6x6xf32>
  return %0 : tensor<1x16x6x6xf32>
}

//--- window.mlir
// CHECK: window.mlir:{{[0-9]+}}: 'genie.max_pool' op a window of 9 (dilation 1) does not fit into 8 elements with padding 0 + 0
func.func @f(%x: tensor<1x3x8x8xf32>) -> tensor<1x3x1x1xf32> {
  %0 = genie.max_pool %x {kernel = array<i64: 9, 9>, stride = array<i64: 1, 1>, padding = array<i64: 0, 0>, dilation = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x1x1xf32>
  return %0 : tensor<1x3x1x1xf32>
}

//--- axes.mlir
// CHECK: axes.mlir:{{[0-9]+}}: 'genie.sum' op axes must be distinct, ascending and inside rank 2
func.func @f(%x: tensor<2x3xf32>) -> tensor<f32> {
  %0 = genie.sum %x {axes = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

//--- axis.mlir
// CHECK: axis.mlir:{{[0-9]+}}: 'genie.softmax' op axis 2 is outside rank 2
func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = genie.softmax %x {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

//--- norm.mlir
// CHECK: norm.mlir:{{[0-9]+}}: 'genie.layer_norm' op weight must be [3] f32, not [2] f32
func.func @f(%x: tensor<2x3xf32>, %w: tensor<2xf32>) -> tensor<2x3xf32> {
  %0 = genie.layer_norm %x, %w {eps = 1.0e-5, normalized_rank = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0>} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

//--- index.mlir
// CHECK: index.mlir:{{[0-9]+}}: 'genie.embedding' op index must be i32 or i64, not f32
func.func @f(%t: tensor<5x3xf32>, %i: tensor<2xf32>) -> tensor<2x3xf32> {
  %0 = genie.embedding %t, %i : (tensor<5x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

//--- topk.mlir
// CHECK: topk.mlir:{{[0-9]+}}: 'genie.topk' op k = 5 is outside the 3 elements of axis 1
func.func @f(%x: tensor<2x3xf32>) -> tensor<2x5xf32> {
  %0, %1 = genie.topk %x {k = 5 : i64, axis = 1 : i64} : (tensor<2x3xf32>) -> (tensor<2x5xf32>, tensor<2x5xi64>)
  return %0 : tensor<2x5xf32>
}

//--- lstm.mlir
// CHECK: lstm.mlir:{{[0-9]+}}: 'genie.lstm' op a weight must be [16, 4], not [12, 4] f32
func.func @f(%x: tensor<5x2x3xf32>, %h: tensor<1x2x4xf32>, %a: tensor<16x3xf32>, %b: tensor<12x4xf32>) -> tensor<5x2x4xf32> {
  %0, %1, %2 = genie.lstm %x, %h, %h, %a, %b {layers = 1 : i64, has_bias = false} : (tensor<5x2x3xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<16x3xf32>, tensor<12x4xf32>) -> (tensor<5x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
  return %0 : tensor<5x2x4xf32>
}

//--- size.mlir
// CHECK: size.mlir:{{[0-9]+}}: 'genie.size' op must have a result of type [] i64, not [] f32
func.func @f() -> tensor<f32> {
  %0 = genie.size affine_map<() -> (4)> : tensor<f32>
  return %0 : tensor<f32>
}

//--- iota.mlir
// CHECK: iota.mlir:{{[0-9]+}}: 'genie.iota' op axis 1 is outside rank 1
func.func @f() -> tensor<4xi64> {
  %0 = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 1 : i64} : () -> tensor<4xi64>
  return %0 : tensor<4xi64>
}
