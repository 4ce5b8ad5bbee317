// RUN: geniec %s --run-pass=recompute | FileCheck %s
// RUN: sed 's/bytes_per_s = 1.0e8/bytes_per_s = 1.0e12/; s/latency_ns = 2000/latency_ns = 0/' %s > %t.fast.mlir && geniec %t.fast.mlir --run-pass=recompute | FileCheck %s --check-prefix=FAST
// RUN: sed 's/genie.objective = "latency",//' %s > %t.plain.mlir && geniec %t.plain.mlir --run-pass=recompute | FileCheck %s --check-prefix=FAST
// RUN: geniec %s --run-pass=place-by-cost,recompute | FileCheck %s --check-prefix=FAST --implicit-check-not=genie.is_bound
// The outer product of a few sums is made again at the other place from the sums, which are small, because a slow link
// would take longer for it; so is what a view of it is read for. The product with a large weight is sent. Over a fast
// link all is. Where the places are the user's wish, as they are for place-by-cost, nothing is computed anywhere else.

// CHECK: %[[SUM:.*]] = genie.sum
// CHECK: genie.mul %[[SUM]]{{.*}}genie.place = 0
// CHECK: %[[AGAIN:.*]] = genie.mul %[[SUM]]{{.*}}genie.place = 1
// CHECK: genie.linear {{.*}}genie.place = 0
// CHECK-NOT: genie.linear
// CHECK: genie.reshape %[[AGAIN]]
// FAST: genie.mul
// FAST-NOT: genie.mul
// FAST: return
module attributes {genie.objective = "latency",
    genie.places = [{name = "a:cpu0", kind = "cpu"}, {name = "b:cpu0", kind = "cpu"}],
    genie.links = [{from = 0 : i64, to = 1 : i64, bytes_per_s = 1.0e8, latency_ns = 2000 : i64}]} {
  func.func @main(%x: tensor<64x1024xf32> {genie.input = "x"}, %row: tensor<1x4096xf32> {genie.weight = @row}, %w: tensor<4096x1024xf32> {genie.weight = @w}) -> (tensor<64x4096xf32> {genie.output = "p"}, tensor<262144xf32> {genie.output = "y"}, tensor<64x4096xf32> {genie.output = "z"}) {
    %0 = genie.sum %x {axes = array<i64: 1>, keepdim = true, genie.place = 0 : i64} : (tensor<64x1024xf32>) -> tensor<64x1xf32>
    %1 = genie.mul %0, %row {genie.place = 0 : i64} : (tensor<64x1xf32>, tensor<1x4096xf32>) -> tensor<64x4096xf32>
    %2 = genie.relu %1 {genie.place = 0 : i64} : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    %3 = genie.linear %x, %w {genie.place = 0 : i64} : (tensor<64x1024xf32>, tensor<4096x1024xf32>) -> tensor<64x4096xf32>
    %4 = genie.reshape %1 : (tensor<64x4096xf32>) -> tensor<262144xf32>
    %5 = genie.exp %4 {genie.place = 1 : i64} : (tensor<262144xf32>) -> tensor<262144xf32>
    %6 = genie.exp %3 {genie.place = 1 : i64} : (tensor<64x4096xf32>) -> tensor<64x4096xf32>
    return %2, %5, %6 : tensor<64x4096xf32>, tensor<262144xf32>, tensor<64x4096xf32>
  }
  genie.weight @row {file = "w.bin", offset = 0 : i64, strides = array<i64: 4096, 1>} : tensor<1x4096xf32>
  genie.weight @w {file = "w.bin", offset = 16384 : i64, strides = array<i64: 1024, 1>} : tensor<4096x1024xf32>
}
