// A tensor type is ranked, of a known dtype, and names its dynamic sizes in normal form.
// RUN: split-file %s %t
// RUN: not geniec %t/no_encoding.mlir --emit=genie 2>&1 | FileCheck %t/no_encoding.mlir
// RUN: not geniec %t/static_encoding.mlir --emit=genie 2>&1 | FileCheck %t/static_encoding.mlir
// RUN: not geniec %t/contradiction.mlir --emit=genie 2>&1 | FileCheck %t/contradiction.mlir
// RUN: not geniec %t/results.mlir --emit=genie 2>&1 | FileCheck %t/results.mlir
// RUN: not geniec %t/normal_form.mlir --emit=genie 2>&1 | FileCheck %t/normal_form.mlir
// RUN: not geniec %t/dtype.mlir --emit=genie 2>&1 | FileCheck %t/dtype.mlir
// RUN: not geniec %t/rank.mlir --emit=genie 2>&1 | FileCheck %t/rank.mlir

//--- no_encoding.mlir
// CHECK: no_encoding.mlir:{{[0-9]+}}: 'genie.relu' op has a dynamic tensor type without an affine_map that gives its dimensions
func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
  %0 = genie.relu %x : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

//--- static_encoding.mlir
// CHECK: static_encoding.mlir:{{[0-9]+}}: 'genie.relu' op has a static tensor type with an encoding
func.func @f(%x: tensor<4xf32, affine_map<()[s0] -> (4)>>) -> tensor<4xf32, affine_map<()[s0] -> (4)>> {
  %0 = genie.relu %x : (tensor<4xf32, affine_map<()[s0] -> (4)>>) -> tensor<4xf32, affine_map<()[s0] -> (4)>>
  return %0 : tensor<4xf32, affine_map<()[s0] -> (4)>>
}

//--- contradiction.mlir
// CHECK: contradiction.mlir:{{[0-9]+}}: 'genie.relu' op has a tensor type whose affine_map contradicts dimension 1
func.func @f(%x: tensor<?x4xf32, affine_map<()[s0] -> (s0, 5)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 5)>> {
  %0 = genie.relu %x : (tensor<?x4xf32, affine_map<()[s0] -> (s0, 5)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0, 5)>>
  return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0, 5)>>
}

//--- results.mlir
// CHECK: results.mlir:{{[0-9]+}}: 'genie.relu' op has a tensor type whose affine_map is not ()[symbols] -> one size for each dimension
func.func @f(%x: tensor<?x4xf32, affine_map<()[s0] -> (s0)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0)>> {
  %0 = genie.relu %x : (tensor<?x4xf32, affine_map<()[s0] -> (s0)>>) -> tensor<?x4xf32, affine_map<()[s0] -> (s0)>>
  return %0 : tensor<?x4xf32, affine_map<()[s0] -> (s0)>>
}

//--- normal_form.mlir
// CHECK: normal_form.mlir:{{[0-9]+}}: 'genie.relu' op has a tensor type whose sizes are not in normal form
func.func @f(%x: tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>) -> tensor<?xf32, affine_map<()[s0, s1] -> (s0)>> {
  %0 = genie.relu %x : (tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>) -> tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>
  return %0 : tensor<?xf32, affine_map<()[s0, s1] -> (s0)>>
}

//--- dtype.mlir
// CHECK: dtype.mlir:{{[0-9]+}}: 'genie.relu' op has a tensor whose element type is no dtype of Genie
func.func @f(%x: tensor<4xi7>) -> tensor<4xi7> {
  %0 = genie.relu %x : (tensor<4xi7>) -> tensor<4xi7>
  return %0 : tensor<4xi7>
}

//--- rank.mlir
// CHECK: rank.mlir:{{[0-9]+}}: 'genie.relu' op has a tensor of rank 9; at most 8 is supported
func.func @f(%x: tensor<1x1x1x1x1x1x1x1x1xf32>) -> tensor<1x1x1x1x1x1x1x1x1xf32> {
  %0 = genie.relu %x : (tensor<1x1x1x1x1x1x1x1x1xf32>) -> tensor<1x1x1x1x1x1x1x1x1xf32>
  return %0 : tensor<1x1x1x1x1x1x1x1x1xf32>
}
