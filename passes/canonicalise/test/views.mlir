// RUN: geniec %s --run-pass=simplify | FileCheck %s
// Views that do nothing go, and two in a row become one, with symbolic sizes as with fixed ones.

// CHECK-LABEL: func.func @reshapes_merge
// CHECK: %[[R:.*]] = genie.reshape %arg0 : (tensor<?x4x8xf32, {{.*}}>) -> tensor<?x8x4xf32
// CHECK-NEXT: return %[[R]]
func.func @reshapes_merge(%x: tensor<?x4x8xf32, affine_map<()[s0] -> (s0, 4, 8)>> {genie.input = "x"})
    -> (tensor<?x8x4xf32, affine_map<()[s0] -> (s0, 8, 4)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %0 = genie.reshape %x : (tensor<?x4x8xf32, affine_map<()[s0] -> (s0, 4, 8)>>) -> tensor<?x32xf32, affine_map<()[s0] -> (s0, 32)>>
  %1 = genie.reshape %0 : (tensor<?x32xf32, affine_map<()[s0] -> (s0, 32)>>) -> tensor<?x8x4xf32, affine_map<()[s0] -> (s0, 8, 4)>>
  return %1 : tensor<?x8x4xf32, affine_map<()[s0] -> (s0, 8, 4)>>
}

// CHECK-LABEL: func.func @permutes_cancel
// CHECK-NEXT: return %arg0
func.func @permutes_cancel(%x: tensor<2x3x4xf32> {genie.input = "x"}) -> (tensor<2x3x4xf32> {genie.output = "y"}) {
  %0 = genie.permute %x {permutation = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %1 = genie.permute %0 {permutation = array<i64: 1, 2, 0>} : (tensor<4x2x3xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @moving_a_dimension_of_one_is_a_reshape
// CHECK-NEXT: genie.reshape %arg0 : (tensor<1x4x1x8xf32>) -> tensor<4x1x1x8xf32>
func.func @moving_a_dimension_of_one_is_a_reshape(%x: tensor<1x4x1x8xf32> {genie.input = "x"})
    -> (tensor<4x1x1x8xf32> {genie.output = "y"}) {
  %0 = genie.permute %x {permutation = array<i64: 1, 2, 0, 3>} : (tensor<1x4x1x8xf32>) -> tensor<4x1x1x8xf32>
  return %0 : tensor<4x1x1x8xf32>
}

// CHECK-LABEL: func.func @empty_views_go
// CHECK-NEXT: return %arg0
func.func @empty_views_go(%x: tensor<2x8xf32> {genie.input = "x"}) -> (tensor<2x8xf32> {genie.output = "y"}) {
  %0 = genie.slice %x {axis = 1 : i64, start = affine_map<() -> (0)>} : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %1 = genie.expand %0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %2 = genie.concat %1 {axis = 0 : i64} : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %3 = genie.pad %2 {low = array<i64: 0, 0>, high = array<i64: 0, 0>} : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return %3 : tensor<2x8xf32>
}

// A pointwise op moves in front of a view that only it reads, to where the view's source can take it.
// CHECK-LABEL: func.func @pointwise_joins_the_source_of_a_view
// CHECK: %[[L:.*]] = genie.softmax
// CHECK-NEXT: %[[M:.*]] = genie.relu %[[L]]
// CHECK-NEXT: genie.reshape %[[M]]
func.func @pointwise_joins_the_source_of_a_view(%x: tensor<4x8xf32> {genie.input = "x"}) -> (tensor<2x2x8xf32> {genie.output = "y"}) {
  %0 = genie.softmax %x {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = genie.reshape %0 : (tensor<4x8xf32>) -> tensor<2x2x8xf32>
  %2 = genie.relu %1 : (tensor<2x2x8xf32>) -> tensor<2x2x8xf32>
  return %2 : tensor<2x2x8xf32>
}

// Indexing with every position in order is a reshape, as a mask that is looked up by batch and key.
// CHECK-LABEL: func.func @index_by_all_positions
// CHECK-NEXT: genie.reshape %arg0 : (tensor<?x16xi1, {{.*}}>) -> tensor<?x1x1x16xi1
// CHECK-NEXT: return
func.func @index_by_all_positions(%m: tensor<?x16xi1, affine_map<()[s0] -> (s0, 16)>> {genie.input = "m"})
    -> (tensor<?x1x1x16xi1, affine_map<()[s0] -> (s0, 1, 1, 16)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %b = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 0 : i64} : () -> tensor<?xi64, affine_map<()[s0] -> (s0)>>
  %k = genie.iota {start = 0.0 : f64, step = 1.0 : f64, axis = 0 : i64} : () -> tensor<16xi64>
  %0 = genie.reshape %b : (tensor<?xi64, affine_map<()[s0] -> (s0)>>) -> tensor<?x1x1x1xi64, affine_map<()[s0] -> (s0, 1, 1, 1)>>
  %1 = genie.reshape %k : (tensor<16xi64>) -> tensor<1x1x1x16xi64>
  %2 = genie.index %m, %0, %1 {axes = array<i64: 0, 1>}
      : (tensor<?x16xi1, affine_map<()[s0] -> (s0, 16)>>, tensor<?x1x1x1xi64, affine_map<()[s0] -> (s0, 1, 1, 1)>>, tensor<1x1x1x16xi64>)
      -> tensor<?x1x1x16xi1, affine_map<()[s0] -> (s0, 1, 1, 16)>>
  return %2 : tensor<?x1x1x16xi1, affine_map<()[s0] -> (s0, 1, 1, 16)>>
}
