// RUN: geniec %s --run-pass=place-by-cost | FileCheck %s
// RUN: sed 's/bytes_per_s = 1.0e9/bytes_per_s = 1.0e6/' %s > %t.slow.mlir && geniec %t.slow.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=SLOW
// RUN: sed 's/"latency"/"speed"/' %s > %t.bad.mlir && not geniec %t.bad.mlir --run-pass=place-by-cost 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: geniec %s --run-pass=place-by-cost,drop-places | FileCheck %s --check-prefix=LINKS
// Two encoders that do not need each other run on two devices, the state stays with what reads and writes it, and what
// the user has placed stays there. Over a slow link all is on one device.

// What joins the client to places that are used stays known.
// LINKS: genie.links = [{{.*}}from = -1 : i64{{.*}}to = 0 : i64

// CHECK-LABEL: func.func @main
// CHECK-SAME: genie.placement = {{{.*}}is_optimal
// CHECK: genie.linear %arg0, %arg2 {genie.place = [[A:[01]]] : i64}
// CHECK: genie.linear {{.*}} {genie.place = [[A]] : i64}
// CHECK: genie.linear %arg1, %arg2 {genie.place = [[B:[01]]] : i64}
// CHECK: genie.linear {{.*}} {genie.place = [[B]] : i64}
// CHECK: genie.add {{.*}}%arg3 {genie.is_bound = true, genie.place = 1 : i64}
// CHECK: genie.mul {{.*}} {genie.is_bound = true, genie.place = 0 : i64}
// SLOW: genie.linear %arg0, %arg2 {genie.place = [[A:[01]]] : i64}
// SLOW: genie.linear {{.*}} {genie.place = [[A]] : i64}
// SLOW: genie.linear %arg1, %arg2 {genie.place = [[A]] : i64}
// BAD: 'genie.objective' must be "latency" or "throughput"
module attributes {genie.objective = "latency",
    genie.places = [{name = "a:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10}, {name = "b:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10}],
    genie.links = [{from = 0 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = 1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = -1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = -1 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}]} {
  func.func @main(%x: tensor<64x1024xf32> {genie.input = "x"}, %y: tensor<64x1024xf32> {genie.input = "y"}, %w: tensor<1024x1024xf32> {genie.weight = @w}, %s: tensor<64x1024xf32> {genie.state = @s}) -> (tensor<64x1024xf32> {genie.output = "o"}) {
    %0 = genie.linear %x, %w : (tensor<64x1024xf32>, tensor<1024x1024xf32>) -> tensor<64x1024xf32>
    %1 = genie.linear %0, %w : (tensor<64x1024xf32>, tensor<1024x1024xf32>) -> tensor<64x1024xf32>
    %2 = genie.linear %y, %w : (tensor<64x1024xf32>, tensor<1024x1024xf32>) -> tensor<64x1024xf32>
    %3 = genie.linear %2, %w : (tensor<64x1024xf32>, tensor<1024x1024xf32>) -> tensor<64x1024xf32>
    %4 = genie.add %1, %3 : (tensor<64x1024xf32>, tensor<64x1024xf32>) -> tensor<64x1024xf32>
    %5 = genie.add %4, %s : (tensor<64x1024xf32>, tensor<64x1024xf32>) -> tensor<64x1024xf32>
    %6 = genie.mul %5, %5 {genie.place = 0 : i64} : (tensor<64x1024xf32>, tensor<64x1024xf32>) -> tensor<64x1024xf32>
    genie.state_update %5, @s : tensor<64x1024xf32>
    return %6 : tensor<64x1024xf32>
  }
  genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.state @s {genie.place = 1 : i64} : tensor<64x1024xf32>
}
