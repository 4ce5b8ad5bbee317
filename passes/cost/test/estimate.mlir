// RUN: geniec %s --run-pass=fuse-anchors,fuse-pointwise,estimate | FileCheck %s
// RUN: sed 's/1.0e11/1.0e-300/' %s > %t.slow.mlir && geniec %t.slow.mlir --run-pass=fuse-anchors,estimate | FileCheck %s --check-prefix=SLOW
// RUN: sed 's/1.0e11/-1.0/' %s > %t.bad.mlir && not geniec %t.bad.mlir --run-pass=estimate 2>&1 | FileCheck %s --check-prefix=BAD

// 2 * 64 * 512 * 512 operations at 0.93 of 1e11 a second, after a launch of 1 us: 361 + 1 us. A weight of 4 MiB that one
// row reads streams at 0.48 of the 2e10 a second of a copy: 437 + 1 us. An embedding reads its 64 rows, not the table.
// CHECK: genie.kernel "gemm"{{.*}}genie.cost_ns = 361{{[0-9]+}} :
// CHECK: genie.kernel "gemm"{{.*}}genie.cost_ns = 437{{[0-9]+}} :
// CHECK: genie.kernel "pointwise"{{.*}}genie.cost_ns = 14{{[0-9]+}} :
// SLOW: genie.cost_ns = 9223372036854775807
// BAD: pass estimate: {{.*}}f32{{.*}} must be a number from 0 on
module attributes {genie.places = [{name = "local:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10, cache_bytes = 1 : i64, cache_bytes_per_s = 4.0e10, launch_ns = 1000 : i64}]} {
  func.func @main(%x: tensor<64x512xf32> {genie.input = "x"}, %y: tensor<1x512xf32> {genie.input = "y"}, %i: tensor<64xi64> {genie.input = "i"}, %w: tensor<512x512xf32> {genie.weight = @w}, %v: tensor<2048x512xf32> {genie.weight = @v}, %t: tensor<100000x512xf32> {genie.weight = @t}) -> (tensor<64x512xf32> {genie.output = "a"}, tensor<1x2048xf32> {genie.output = "b"}, tensor<64x512xf32> {genie.output = "c"}) {
    %0 = genie.linear %x, %w : (tensor<64x512xf32>, tensor<512x512xf32>) -> tensor<64x512xf32>
    %1 = genie.linear %y, %v : (tensor<1x512xf32>, tensor<2048x512xf32>) -> tensor<1x2048xf32>
    %2 = genie.embedding %t, %i : (tensor<100000x512xf32>, tensor<64xi64>) -> tensor<64x512xf32>
    return %0, %1, %2 : tensor<64x512xf32>, tensor<1x2048xf32>, tensor<64x512xf32>
  }
  genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 512, 1>} : tensor<512x512xf32>
  genie.weight @v {file = "w.bin", offset = 0 : i64, strides = array<i64: 512, 1>} : tensor<2048x512xf32>
  genie.weight @t {file = "w.bin", offset = 0 : i64, strides = array<i64: 512, 1>} : tensor<100000x512xf32>
}
