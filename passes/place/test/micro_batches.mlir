// RUN: geniec %s --run-pass=place-by-cost | FileCheck %s
// RUN: sed 's/genie.objective/genie.micro_batches = 2 : i64, genie.objective/' %s > %t.two.mlir && geniec %t.two.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=TWO
// RUN: sed 's/genie.objective/genie.micro_batches = 1 : i64, genie.objective/' %s > %t.one.mlir && geniec %t.one.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=ONE
// RUN: sed 's/bytes_per_s = 1.0e9/bytes_per_s = 1.0e6/g' %s > %t.slow.mlir && geniec %t.slow.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=ONE
// RUN: sed 's/genie.objective/genie.micro_batches = 3 : i64, genie.objective/' %s > %t.odd.mlir && not geniec %t.odd.mlir --run-pass=place-by-cost 2>&1 | FileCheck %s --check-prefix=ODD
// RUN: sed 's/genie.objective/genie.micro_batches = 2 : i64, genie.objective/; s/axis = 1/axis = 0/' %s > %t.mixed.mlir && not geniec %t.mixed.mlir --run-pass=place-by-cost 2>&1 | FileCheck %s --check-prefix=MIXED
// RUN: sed 's/axis = 1/axis = 0/' %s > %t.mixed.mlir && geniec %t.mixed.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=ONE
// RUN: sed 's/256x1024xf32/274877906944x1024xf32/g; s/1x256xf32/1x274877906944xf32/g; s/256x1xf32/274877906944x1xf32/g; s/i64: 256,/i64: 274877906944,/' %s > %t.huge.mlir && timeout 20 geniec %t.huge.mlir --run-pass=place-by-cost | FileCheck %s --check-prefix=HUGE
// A batch over two devices runs as micro-batches where that pays: one device works on the next while the other has the
// one before. All copies of an op are on one device; what is whole, such as the mask, is computed once and sliced; the
// outputs are joined. Over a slow link, or where an op needs all items together, nothing is split.

// CHECK: genie.micro_batches = {count = [[N:[0-9]+]] : i64, whole_latency_ns
// CHECK: genie.slice %arg0 {axis = 0 : i64, genie.micro_batch = 0
// CHECK: genie.linear {{.*}}genie.micro_batch = 0 : i64, genie.place = [[A:[01]]] : i64
// CHECK: genie.softmax {{.*}}genie.micro_batch = 0 : i64, genie.place = [[B:[01]]] : i64
// CHECK: genie.linear {{.*}}genie.micro_batch = 1 : i64, genie.place = [[A]] : i64
// CHECK: genie.softmax {{.*}}genie.micro_batch = 1 : i64, genie.place = [[B]] : i64
// CHECK: genie.concat {{.*}} {axis = 0 : i64

// TWO: genie.exp %arg1
// TWO-NOT: genie.exp
// TWO: genie.linear {{.*}} -> tensor<128x1024xf32>
// TWO: genie.slice {{.*}}start = #map{{[0-9]*}}} : (tensor<256x1xf32>) -> tensor<128x1xf32>
// TWO: genie.concat %{{[0-9]+}}, %{{[0-9]+}} {axis = 0 : i64{{.*}} -> tensor<256x1024xf32>
// ONE-NOT: genie.micro_batch =
// ONE: genie.softmax
// ODD: --micro-batches=3: a batch of 256 is not divided by it
// MIXED: --micro-batches=2: the batch cannot be split: genie.softmax needs the items of the batch together
// However large the batch is, only so many numbers are tried.
// HUGE: func.func @main
module attributes {genie.objective = "latency",
    genie.places = [{name = "a:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10}, {name = "b:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10}],
    genie.links = [{from = 0 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = 1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = -1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}, {from = -1 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64}]} {
  func.func @main(%x: tensor<256x1024xf32> {genie.input = "x"}, %m: tensor<1x256xf32> {genie.weight = @m}, %w0: tensor<1024x1024xf32> {genie.weight = @w0}, %w1: tensor<1024x1024xf32> {genie.weight = @w1}, %w2: tensor<1024x1024xf32> {genie.weight = @w2}, %w3: tensor<1024x1024xf32> {genie.weight = @w3}) -> (tensor<256x1024xf32> {genie.output = "y"}) {
    %mask = genie.exp %m : (tensor<1x256xf32>) -> tensor<1x256xf32>
    %column = genie.reshape %mask : (tensor<1x256xf32>) -> tensor<256x1xf32>
    %0 = genie.linear %x, %w0 : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %1 = genie.linear %0, %w1 : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %2 = genie.mul %1, %column : (tensor<256x1024xf32>, tensor<256x1xf32>) -> tensor<256x1024xf32>
    %3 = genie.linear %2, %w2 : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %4 = genie.linear %3, %w3 : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %5 = genie.softmax %4 {axis = 1 : i64} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    return %5 : tensor<256x1024xf32>
  }
  genie.weight @m {file = "w.bin", offset = 0 : i64, strides = array<i64: 256, 1>} : tensor<1x256xf32>
  genie.weight @w0 {file = "w.bin", offset = 1024 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w1 {file = "w.bin", offset = 4195328 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w2 {file = "w.bin", offset = 8389632 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w3 {file = "w.bin", offset = 12583936 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
}
