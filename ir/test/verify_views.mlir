// A view is refused when its elements are not those of its operand, for any value of the symbols.
// RUN: split-file %s %t
// RUN: not geniec %t/reshape.mlir --emit=genie 2>&1 | FileCheck %t/reshape.mlir
// RUN: not geniec %t/reshape_symbolic.mlir --emit=genie 2>&1 | FileCheck %t/reshape_symbolic.mlir
// RUN: not geniec %t/dtype.mlir --emit=genie 2>&1 | FileCheck %t/dtype.mlir
// RUN: not geniec %t/permute.mlir --emit=genie 2>&1 | FileCheck %t/permute.mlir
// RUN: not geniec %t/expand.mlir --emit=genie 2>&1 | FileCheck %t/expand.mlir
// RUN: not geniec %t/slice.mlir --emit=genie 2>&1 | FileCheck %t/slice.mlir
// RUN: not geniec %t/slice_symbolic.mlir --emit=genie 2>&1 | FileCheck %t/slice_symbolic.mlir
// RUN: not geniec %t/concat.mlir --emit=genie 2>&1 | FileCheck %t/concat.mlir
// RUN: not geniec %t/pad.mlir --emit=genie 2>&1 | FileCheck %t/pad.mlir

//--- reshape.mlir
// CHECK: reshape.mlir:{{[0-9]+}}: 'genie.reshape' op [2, 3] f32 has 6 elements, [7] f32 has 7
func.func @f(%x: tensor<2x3xf32>) -> tensor<7xf32> {
  %0 = genie.reshape %x : (tensor<2x3xf32>) -> tensor<7xf32>
  return %0 : tensor<7xf32>
}

//--- reshape_symbolic.mlir
// CHECK: reshape_symbolic.mlir:{{[0-9]+}}: 'genie.reshape' op [s0, 4] f32 has s0 * 4 elements, [s0, 5] f32 has s0 * 5
func.func @f(%x: tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>>
    attributes {genie.symbols = [{name = "s0", min = 1, max = 16, multiple = 1}]} {
  %0 = genie.reshape %x : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 4)>>) -> tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>>
  return %0 : tensor<?x5xf32, affine_map<()[s0] -> (s0, 5)>>
}

//--- dtype.mlir
// CHECK: dtype.mlir:{{[0-9]+}}: 'genie.reshape' op a view keeps the element type: f32 becomes f16
func.func @f(%x: tensor<2x3xf32>) -> tensor<6xf16> {
  %0 = genie.reshape %x : (tensor<2x3xf32>) -> tensor<6xf16>
  return %0 : tensor<6xf16>
}

//--- permute.mlir
// CHECK: permute.mlir:{{[0-9]+}}: 'genie.permute' op permutation must name each of the 2 dimensions once
func.func @f(%x: tensor<2x3xf32>) -> tensor<3x3xf32> {
  %0 = genie.permute %x {permutation = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

//--- expand.mlir
// CHECK: expand.mlir:{{[0-9]+}}: 'genie.expand' op [2, 3] f32 does not expand to [4, 3] f32
func.func @f(%x: tensor<2x3xf32>) -> tensor<4x3xf32> {
  %0 = genie.expand %x : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

//--- slice.mlir
// CHECK: slice.mlir:{{[0-9]+}}: 'genie.slice' op slice from 3 of 6 elements by 1 leaves axis 0 of size 8
func.func @f(%x: tensor<8xf32>) -> tensor<6xf32> {
  %0 = genie.slice %x {axis = 0 : i64, start = affine_map<() -> (3)>} : (tensor<8xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

//--- slice_symbolic.mlir
// CHECK: slice_symbolic.mlir:{{[0-9]+}}: 'genie.slice' op may leave its operand: axis 0, for some value of the symbols
func.func @f(%x: tensor<8xf32>, %y: tensor<?xf32, affine_map<()[s0] -> (s0)>>) -> tensor<?xf32, affine_map<()[s0] -> (s0)>>
    attributes {genie.symbols = [{name = "s0", min = 1, max = 16, multiple = 1}]} {
  %0 = genie.slice %x {axis = 0 : i64, start = affine_map<() -> (0)>} : (tensor<8xf32>) -> tensor<?xf32, affine_map<()[s0] -> (s0)>>
  return %0 : tensor<?xf32, affine_map<()[s0] -> (s0)>>
}

//--- concat.mlir
// CHECK: concat.mlir:{{[0-9]+}}: 'genie.concat' op [4, 2] f32 does not join [3, 3] f32 along axis 1
func.func @f(%x: tensor<3x3xf32>, %y: tensor<4x2xf32>) -> tensor<3x5xf32> {
  %0 = genie.concat %x, %y {axis = 1 : i64} : (tensor<3x3xf32>, tensor<4x2xf32>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

//--- pad.mlir
// CHECK: pad.mlir:{{[0-9]+}}: 'genie.pad' op padding -3 and -1 leaves -1 elements of dimension 0
func.func @f(%x: tensor<3xf32>) -> tensor<1xf32> {
  %0 = genie.pad %x {low = array<i64: -3>, high = array<i64: -1>} : (tensor<3xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}
