// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise | FileCheck %s
// A cache write computes what it writes.

// CHECK-LABEL: func.func @cache_write
// CHECK-COUNT-1: genie.kernel "scatter"(%arg2, %arg0, %arg1)
// CHECK: genie.exp
// CHECK-NEXT: genie.index_copy
// CHECK-NOT: genie.kernel
// CHECK: genie.state_update
func.func @cache_write(%k: tensor<1x2x16x8xf32> {genie.state = @k}, %p: tensor<1xi64> {genie.input = "p"}, %n: tensor<1x2x1x8xf32> {genie.input = "n"}) {
  %0 = genie.exp %n : (tensor<1x2x1x8xf32>) -> tensor<1x2x1x8xf32>
  %1 = genie.index_copy %k, %p, %0 {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  genie.state_update %1, @k : tensor<1x2x16x8xf32>
  return
}

// What comes out of the cache that is written is computed before: the write may be in place.
// CHECK-LABEL: func.func @shift_in_the_cache
// CHECK: %[[N:.*]] = genie.kernel "pointwise"(%arg0)
// CHECK: genie.kernel "scatter"(%arg0, %arg1, %[[N]])
func.func @shift_in_the_cache(%k: tensor<1x2x16x8xf32> {genie.state = @k}, %p: tensor<1xi64> {genie.input = "p"}) {
  %0 = genie.slice %k {axis = 2 : i64, start = affine_map<() -> (3)>} : (tensor<1x2x16x8xf32>) -> tensor<1x2x1x8xf32>
  %1 = genie.neg %0 : (tensor<1x2x1x8xf32>) -> tensor<1x2x1x8xf32>
  %2 = genie.index_copy %k, %p, %1 {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  genie.state_update %2, @k : tensor<1x2x16x8xf32>
  return
}
genie.state @k : tensor<1x2x16x8xf32>
