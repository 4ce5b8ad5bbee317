// RUN: geniec %s --run-pass=place-blind,place,transfer,relay,drop-places | FileCheck %s --check-prefixes=CHECK,HANDLE
// RUN: sed 's/"handle"/"delta"/' %s > %t.delta.mlir && geniec %t.delta.mlir --run-pass=place-blind,place,transfer,relay,drop-places | FileCheck %s --check-prefixes=CHECK,DELTA
// RUN: sed 's/"handle"/"off"/' %s > %t.off.mlir && geniec %t.off.mlir --run-pass=place-blind,place,transfer,relay,drop-places | FileCheck %s --check-prefixes=OFF
// A semantics-blind system: parts lie where memory is, results go back to the client (the last place) between parts, also when
// the next part is on the same device, and what the root does is done there. "delta" ships the state both ways, "off"
// the weights as well.

// CHECK-LABEL: func.func @main
// HANDLE-SAME: %arg3: {{.*}}genie.state = @s
// DELTA: genie.transfer %arg3 {genie.place = 0
// CHECK: genie.linear {{.*}}genie.module = "first:A"{{.*}}genie.place = 0
// CHECK: genie.transfer {{.*}}genie.place = 1{{.*}}genie.value = "first:linear"{{.*}}place = "local:cpu0"
// CHECK: genie.transfer {{.*}}genie.place = 0{{.*}}genie.value = "first:linear"
// CHECK: genie.add {{.*}}genie.module = "second:B", genie.place = 0
// CHECK: genie.transfer {{.*}}genie.place = 1
// CHECK: genie.argmax {{.*}}genie.place = 1
// HANDLE: genie.state @s {genie.place = 0
// DELTA: genie.state @s {genie.place = 1
// OFF: %arg1: tensor<64x64xf32> {{{.*}}genie.state = @shipped.w
// OFF: genie.transfer %arg1 {genie.place = 0
// OFF: genie.state @shipped.w {genie.place = 1 : i64, initial = @w}
module attributes {genie.semantics = "handle",
    genie.places = [{name = "a:cpu0", kind = "cpu", memory_bytes = 100000 : i64}, {name = "b:cpu0", kind = "cpu", memory_bytes = 1 : i64}, {name = "local:cpu0", kind = "cpu"}]} {
  func.func @main(%x: tensor<8x64xf32> {genie.input = "x"}, %w: tensor<64x64xf32> {genie.weight = @w}, %v: tensor<64x64xf32> {genie.weight = @w}, %s: tensor<8x64xf32> {genie.state = @s}) -> (tensor<8xi64> {genie.output = "o"}) {
    %0 = genie.linear %x, %w {genie.module = "first:A"} : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %1 = genie.add %0, %s {genie.module = "second:B"} : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    genie.state_update %1, @s : tensor<8x64xf32>
    %2 = genie.argmax %1 {axes = array<i64: 1>, keepdim = false, genie.module = ":Root"} : (tensor<8x64xf32>) -> tensor<8xi64>
    return %2 : tensor<8xi64>
  }
  genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 64, 1>} : tensor<64x64xf32>
  genie.state @s : tensor<8x64xf32>
}
