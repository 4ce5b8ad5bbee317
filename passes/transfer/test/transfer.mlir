// RUN: geniec %s --place 'a.*=local:cpu0' --place 'b.*=local:cpu1' --run-pass=place,transfer | FileCheck %s
// A value crosses once for each place that reads it, and as the smallest view of it that serves; weights do not cross;
// what follows from sizes alone is computed again.

#d = affine_map<()[s0] -> (s0, 8)>
#i = affine_map<()[s0] -> (s0)>
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
// CHECK-LABEL: func.func @slices
func.func @slices(%x: tensor<?x8xf32, #d> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<4x8xf32> {genie.output = "y"}, tensor<?xi64, #i> {genie.output = "n"}) attributes {genie.symbols = [{name = "s0", min = 1 : i64, max = 64 : i64, multiple = 1 : i64}]} {
  // CHECK: %[[A:.*]] = genie.linear %arg0, %arg1 {{.*}}genie.place = 0
  // CHECK: %[[S:.*]] = genie.slice %[[A]] {{.*}}genie.place = 0
  // CHECK: %[[T:.*]] = genie.transfer %[[S]] {genie.module = "b:B", genie.place = 1 : i64, genie.reason = "the smallest of the views on the way to its readers", genie.value = "b:slice", place = "local:cpu1"}
  // CHECK-NOT: genie.transfer
  // CHECK: genie.expand %[[T]] {{.*}}genie.place = 1
  %0 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<?x8xf32, #d>, tensor<8x8xf32>) -> tensor<?x8xf32, #d>
  %1 = genie.slice %0 {genie.module = "b:B", axis = 0 : i64, start = affine_map<()[s0] -> (0)>} : (tensor<?x8xf32, #d>) -> tensor<1x8xf32>
  %2 = genie.expand %1 {genie.module = "b:B"} : (tensor<1x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.linear {{.*}}genie.place = 1
  %3 = genie.linear %2, %w {genie.module = "b:B"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %4 = genie.add %3, %2 {genie.module = "b:B"} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.iota {{.*}}genie.place = 1
  // CHECK-NOT: genie.transfer
  // CHECK: genie.add {{.*}}genie.place = 1
  %5 = genie.iota {genie.module = "a:A", start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<?xi64, #i>
  %6 = genie.add %5, %5 {genie.module = "a:A"} : (tensor<?xi64, #i>, tensor<?xi64, #i>) -> tensor<?xi64, #i>
  %7 = genie.mul %6, %5 {genie.module = "b:B"} : (tensor<?xi64, #i>, tensor<?xi64, #i>) -> tensor<?xi64, #i>
  return %4, %7 : tensor<4x8xf32>, tensor<?xi64, #i>
}
// A tensor that crosses whole anyway serves the readers of its slices too.
// CHECK-LABEL: func.func @whole
func.func @whole(%x: tensor<4x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<1x8xf32> {genie.output = "y"}, tensor<4x8xf32> {genie.output = "z"}) {
  // CHECK: %[[A:.*]] = genie.linear
  // CHECK-NEXT: %[[T:.*]] = genie.transfer %[[A]] {{.*}}genie.value = "a:linear"
  // CHECK-NOT: genie.transfer
  // CHECK: genie.slice %[[T]]
  %0 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = genie.slice %0 {genie.module = "a:A", axis = 0 : i64, start = affine_map<() -> (0)>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
  %2 = genie.relu %1 {genie.module = "b:B"} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %3 = genie.relu %0 {genie.module = "b:B"} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2, %3 : tensor<1x8xf32>, tensor<4x8xf32>
}
// An input is delivered to its first reader, and crosses from there.
// CHECK-LABEL: func.func @input(%arg0: tensor<4xf32> {genie.input = "x", genie.place = 1 : i64}
func.func @input(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  // CHECK: %[[T:.*]] = genie.transfer %arg0 {genie.place = 0 : i64, genie.reason = "is where its first reader is, and read here too", genie.value = "x", place = "local:cpu0"}
  // CHECK: genie.softmax %arg0
  // CHECK: genie.transfer
  // CHECK: genie.add %[[T]]
  %0 = genie.softmax %x {genie.module = "b:B", axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.add %x, %0 {genie.module = "a:A"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
// A mask of an input that crosses anyway is made again, not sent.
// CHECK-LABEL: func.func @mask
func.func @mask(%m: tensor<4xi64> {genie.input = "m"}, %x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}, tensor<4xf32> {genie.output = "z"}, tensor<4xf32> {genie.output = "w"}) {
  // CHECK-DAG: genie.transfer %arg0
  // CHECK-DAG: genie.transfer {{.*}}genie.value = "a:softmax"
  // CHECK-NOT: genie.transfer
  // CHECK: genie.ne {{.*}}genie.place = 1
  // CHECK-NOT: genie.transfer
  // CHECK: return
  %zero = genie.constant dense<0> : tensor<i64>
  %0 = genie.ne %m, %zero {genie.module = "a:A"} : (tensor<4xi64>, tensor<i64>) -> tensor<4xi1>
  %s = genie.softmax %x {genie.module = "a:A", axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.where %0, %s, %s {genie.module = "a:A"} : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = genie.where %0, %1, %1 {genie.module = "b:B"} : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = genie.cast %m {dtype = "f32", genie.module = "b:B"} : (tensor<4xi64>) -> tensor<4xf32>
  %4 = genie.neg %s {genie.module = "b:B"} : (tensor<4xf32>) -> tensor<4xf32>
  return %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
// Of logits the last token's cross, and constants and weights never: they are at both places.
// CHECK-LABEL: func.func @last_logits
func.func @last_logits(%x: tensor<1x16x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<1x8xf32> {genie.output = "y"}) {
  // CHECK-COUNT-1: genie.transfer {{.*}}(tensor<1x{{(1x)?}}8xf32>)
  // CHECK-NOT: genie.transfer
  // CHECK: genie.mul {{.*}}genie.place = 1
  // CHECK: genie.linear {{.*}}%arg1{{.*}}genie.place = 1
  // CHECK: return
  %half = genie.constant dense<0.5> : tensor<f32>
  %0 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<1x16x8xf32>, tensor<8x8xf32>) -> tensor<1x16x8xf32>
  %1 = genie.mul %0, %half {genie.module = "a:A"} : (tensor<1x16x8xf32>, tensor<f32>) -> tensor<1x16x8xf32>
  %2 = genie.slice %1 {genie.module = "b:B", axis = 1 : i64, start = affine_map<() -> (15)>} : (tensor<1x16x8xf32>) -> tensor<1x1x8xf32>
  %3 = genie.reshape %2 {genie.module = "b:B"} : (tensor<1x1x8xf32>) -> tensor<1x8xf32>
  %4 = genie.mul %3, %half {genie.module = "b:B"} : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %5 = genie.linear %4, %w {genie.module = "b:B"} : (tensor<1x8xf32>, tensor<8x8xf32>) -> tensor<1x8xf32>
  return %5 : tensor<1x8xf32>
}
// A mask that follows from sizes is made where it is read: nothing of it crosses.
// CHECK-LABEL: func.func @causal
func.func @causal(%x: tensor<8x8xf32> {genie.input = "x"}) -> (tensor<8x8xf32> {genie.output = "y"}, tensor<8x8xf32> {genie.output = "z"}) {
  // CHECK: genie.transfer {{.*}}genie.value = "a:where"
  // CHECK-NOT: genie.transfer
  // CHECK: return
  %zero = genie.constant dense<0.0> : tensor<f32>
  %0 = genie.iota {genie.module = "a:A", start = 0.0 : f64, step = 1.0 : f64} : () -> tensor<8xi64>
  %1 = genie.reshape %0 {genie.module = "a:A"} : (tensor<8xi64>) -> tensor<8x1xi64>
  %2 = genie.ge %1, %0 {genie.module = "a:A"} : (tensor<8x1xi64>, tensor<8xi64>) -> tensor<8x8xi1>
  %3 = genie.where %2, %x, %zero {genie.module = "a:A"} : (tensor<8x8xi1>, tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  %4 = genie.where %2, %3, %zero {genie.module = "b:B"} : (tensor<8x8xi1>, tensor<8x8xf32>, tensor<f32>) -> tensor<8x8xf32>
  return %3, %4 : tensor<8x8xf32>, tensor<8x8xf32>
}
