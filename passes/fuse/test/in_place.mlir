// RUN: geniec %s --run-pass=fuse-anchors,in-place | FileCheck %s
// A cache write goes into the cache, unless somebody still reads what was there.

// CHECK-LABEL: func.func @cache_write
// CHECK: genie.kernel "scatter"(%arg0, %arg1, %arg2) {in_place = array<i64: 0>}
func.func @cache_write(%k: tensor<1x2x16x8xf32> {genie.state = @k}, %p: tensor<1xi64> {genie.input = "p"}, %n: tensor<1x2x1x8xf32> {genie.input = "n"}) {
  %0 = genie.index_copy %k, %p, %n {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  genie.state_update %0, @k : tensor<1x2x16x8xf32>
  return
}

// CHECK-LABEL: func.func @old_cache_is_read_later
// CHECK-NOT: in_place
// CHECK: return
func.func @old_cache_is_read_later(%k: tensor<1x2x16x8xf32> {genie.state = @k}, %p: tensor<1xi64> {genie.input = "p"}, %n: tensor<1x2x1x8xf32> {genie.input = "n"})
    -> (tensor<1x2x16x8xf32> {genie.output = "y"}) {
  %0 = genie.index_copy %k, %p, %n {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  genie.state_update %0, @k : tensor<1x2x16x8xf32>
  %1 = genie.softmax %k {axis = 3 : i64} : (tensor<1x2x16x8xf32>) -> tensor<1x2x16x8xf32>
  return %1 : tensor<1x2x16x8xf32>
}

// CHECK-LABEL: func.func @inputs_are_not_overwritten
// CHECK-NOT: in_place
// CHECK: return
func.func @inputs_are_not_overwritten(%k: tensor<1x2x16x8xf32> {genie.input = "k"}, %p: tensor<1xi64> {genie.input = "p"}, %n: tensor<1x2x1x8xf32> {genie.input = "n"})
    -> (tensor<1x2x16x8xf32> {genie.output = "y"}) {
  %0 = genie.index_copy %k, %p, %n {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  return %0 : tensor<1x2x16x8xf32>
}

// Two writes in a row both go into the cache.
// CHECK-LABEL: func.func @two_cache_writes
// CHECK-COUNT-2: in_place = array<i64: 0>
func.func @two_cache_writes(%k: tensor<1x2x16x8xf32> {genie.state = @k}, %p: tensor<1xi64> {genie.input = "p"}, %o: tensor<1xi64> {genie.input = "o"}, %n: tensor<1x2x1x8xf32> {genie.input = "n"}) {
  %0 = genie.index_copy %k, %p, %n {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  %1 = genie.index_copy %0, %o, %n {axis = 2 : i64} : (tensor<1x2x16x8xf32>, tensor<1xi64>, tensor<1x2x1x8xf32>) -> tensor<1x2x16x8xf32>
  genie.state_update %1, @k : tensor<1x2x16x8xf32>
  return
}
genie.state @k : tensor<1x2x16x8xf32>
