// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// The top of few scores that picks weights and weighs what comes of them routes to experts.

// CHECK-LABEL: func.func @mixture
// CHECK: genie.linear {{.*}}genie.role = "router"
// CHECK: genie.topk {{.*}}genie.role = "routing"
// CHECK: genie.matmul {{.*}}genie.role = "expert"
func.func @mixture(%x: tensor<4x8xf32> {genie.input = "x"}, %r: tensor<6x8xf32> {genie.weight = @router}, %e: tensor<6x8x8xf32> {genie.weight = @experts}) -> (tensor<4x1x8xf32> {genie.output = "y"}) {
  %scores = genie.linear %x, %r : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  %p = genie.softmax %scores {axis = 1 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %best, %which = genie.topk %p {k = 1 : i64, axis = 1 : i64} : (tensor<4x6xf32>) -> (tensor<4x1xf32>, tensor<4x1xi64>)
  %flat = genie.reshape %which : (tensor<4x1xi64>) -> tensor<4xi64>
  %w = genie.take %e, %flat {axis = 0 : i64} : (tensor<6x8x8xf32>, tensor<4xi64>) -> tensor<4x8x8xf32>
  %rows = genie.reshape %x : (tensor<4x8xf32>) -> tensor<4x1x8xf32>
  %y = genie.matmul %rows, %w : (tensor<4x1x8xf32>, tensor<4x8x8xf32>) -> tensor<4x1x8xf32>
  %weights = genie.reshape %best : (tensor<4x1xf32>) -> tensor<4x1x1xf32>
  %weighed = genie.mul %y, %weights : (tensor<4x1x8xf32>, tensor<4x1x1xf32>) -> tensor<4x1x8xf32>
  return %weighed : tensor<4x1x8xf32>
}

// The five best classes of an image route nothing.
// CHECK-LABEL: func.func @best_classes
// CHECK-NOT: "router"
// CHECK: return
func.func @best_classes(%x: tensor<4x8xf32> {genie.input = "x"}, %r: tensor<6x8xf32> {genie.weight = @router}) -> (tensor<4x5xf32> {genie.output = "y"}, tensor<4x5xi64> {genie.output = "z"}) {
  %scores = genie.linear %x, %r : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  %best, %which = genie.topk %scores {k = 5 : i64, axis = 1 : i64} : (tensor<4x6xf32>) -> (tensor<4x5xf32>, tensor<4x5xi64>)
  return %best, %which : tensor<4x5xf32>, tensor<4x5xi64>
}
genie.weight @router {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<6x8xf32>
genie.weight @experts {file = "w.bin", offset = 192 : i64, strides = array<i64: 64, 8, 1>} : tensor<6x8x8xf32>
