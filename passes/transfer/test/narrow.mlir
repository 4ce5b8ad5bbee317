// RUN: geniec %s --place 'a.*=node1:cpu0' --place 'b.*=node2:cpu0' --place 'c.*=node1:cpu1' --allow-narrow bf16 --run-pass=place,transfer | FileCheck %s
// RUN: geniec %s --place 'a.*=node1:cpu0' --place 'b.*=node2:cpu0' --place 'c.*=node1:cpu1' --run-pass=place,transfer | FileCheck %s --check-prefix=WIDE
// RUN: not geniec %s --allow-narrow f8 2>&1 | FileCheck %s --check-prefix=BAD
// Between nodes f32 travels as bf16 where the user allows it: not within a node, no other type, and never unasked.
// WIDE-NOT: genie.cast
// WIDE: genie.transfer {{.*}} tensor<4x8xf32>
// WIDE-NOT: genie.cast
// BAD: --allow-narrow=f8: give bf16 or f16

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4x8xf32> {genie.input = "x"}, %n: tensor<4xi64> {genie.input = "n"}) -> (tensor<4x8xf32> {genie.output = "y"}, tensor<4x8xf32> {genie.output = "z"}, tensor<4xi64> {genie.output = "m"}) {
  // CHECK: %[[S:.*]] = genie.softmax %arg0
  // CHECK-DAG: %[[N:.*]] = genie.cast %[[S]] {{.*}}genie.place = 0{{.*}} -> tensor<4x8xbf16>
  // CHECK-DAG: %[[T:.*]] = genie.transfer %[[N]] {{.*}}genie.reason = "made at one place, read at another; sent as bf16"{{.*}}genie.value = "a:softmax", place = "node2:cpu0"} : (tensor<4x8xbf16>) -> tensor<4x8xbf16>
  // CHECK-DAG: %[[W:.*]] = genie.cast %[[T]] {{.*}}genie.place = 1{{.*}} -> tensor<4x8xf32>
  // CHECK-DAG: genie.transfer %[[S]] {{.*}}place = "node1:cpu1"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK-DAG: genie.transfer {{.*}}place = "node2:cpu0"} : (tensor<4xi64>) -> tensor<4xi64>
  // CHECK: genie.neg %[[W]]
  %0 = genie.softmax %x {genie.module = "a:A", axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = genie.cumsum %n {genie.module = "a:A", axis = 0 : i64} : (tensor<4xi64>) -> tensor<4xi64>
  %2 = genie.neg %0 {genie.module = "b:B"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = genie.exp %0 {genie.module = "c:C"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = genie.neg %1 {genie.module = "b:B"} : (tensor<4xi64>) -> tensor<4xi64>
  return %2, %3, %4 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xi64>
}
