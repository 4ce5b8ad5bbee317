// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// RUN: geniec %s --explain-semantics | FileCheck %s --check-prefix=CLASS
// Lookups of categories are sparse, the rest of a recommender is dense.

// CLASS: columns: recommendation (0.95): 2 tables of categories
// CHECK-LABEL: func.func @columns
// CHECK: genie.reshape {{.*}}genie.phase = "sparse"
// CHECK: genie.embedding {{.*}}genie.modality = "tabular", genie.phase = "sparse", genie.role = "category-embedding"
// CHECK: genie.embedding_bag {{.*}}genie.phase = "sparse", genie.role = "category-embedding"
// CHECK: genie.concat {{.*}}genie.modality = "tabular", genie.phase = "dense"
func.func @columns(%a: tensor<4x1xi64> {genie.input = "a"}, %b: tensor<4x3xi64> {genie.input = "b"}, %x: tensor<4x5xf32> {genie.input = "x"}, %ta: tensor<30x8xf32> {genie.weight = @ta}, %tb: tensor<50x8xf32> {genie.weight = @tb}) -> (tensor<4x21xf32> {genie.output = "y"}) {
  %ids = genie.reshape %a : (tensor<4x1xi64>) -> tensor<4xi64>
  %0 = genie.embedding %ta, %ids : (tensor<30x8xf32>, tensor<4xi64>) -> tensor<4x8xf32>
  %1 = genie.embedding_bag %tb, %b {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<50x8xf32>, tensor<4x3xi64>) -> tensor<4x8xf32>
  %2 = genie.concat %0, %1, %x {axis = 1 : i64} : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x5xf32>) -> tensor<4x21xf32>
  return %2 : tensor<4x21xf32>
}

// CLASS: candidates: recommendation (0.90)
// CHECK-LABEL: func.func @candidates
// CHECK: genie.embedding {{.*}}genie.role = "category-embedding"
// CHECK: genie.attention {{.*}}genie.phase = "dense"
// CHECK: genie.embedding {{.*}}genie.role = "category-embedding"
func.func @candidates(%h: tensor<2x6xi64> {genie.input = "h"}, %c: tensor<2x4xi64> {genie.input = "c"}, %t: tensor<30x8xf32> {genie.weight = @ta}) -> (tensor<2x4x1xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %h : (tensor<30x8xf32>, tensor<2x6xi64>) -> tensor<2x6x8xf32>
  %s = genie.attention %x, %x, %x {is_causal = true, scale = 1.0 : f64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %last = genie.slice %s {axis = 1 : i64, start = affine_map<() -> (5)>} : (tensor<2x6x8xf32>) -> tensor<2x1x8xf32>
  %column = genie.permute %last {permutation = array<i64: 0, 2, 1>} : (tensor<2x1x8xf32>) -> tensor<2x8x1xf32>
  %rows = genie.embedding %t, %c : (tensor<30x8xf32>, tensor<2x4xi64>) -> tensor<2x4x8xf32>
  %y = genie.matmul %rows, %column : (tensor<2x4x8xf32>, tensor<2x8x1xf32>) -> tensor<2x4x1xf32>
  return %y : tensor<2x4x1xf32>
}
genie.weight @ta {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<30x8xf32>
genie.weight @tb {file = "w.bin", offset = 960 : i64, strides = array<i64: 8, 1>} : tensor<50x8xf32>
