// RUN: geniec %s --place 'b.*=local:cpu1' --place 'b.far=node1:cuda0' --place 'a.*=local:cpu0' --run-pass=place | FileCheck %s
// The last rule that matches an op wins; an op that no rule names is where most of its operands are; what follows from
// weights alone is where it is read first; a state where its new value is made, an input where it is read first.

// CHECK: genie.places = [{kind = "cpu", name = "local:cpu1"}, {kind = "cuda", name = "node1:cuda0"}, {kind = "cpu", name = "local:cpu0"}]
// CHECK-NOT: genie.place_rules
// CHECK: genie.state @s {genie.place = 1 : i64}
// CHECK: func.func @main(%[[X:.*]]: tensor<4x8xf32> {genie.input = "x", genie.place = 2 : i64}, %{{.*}}: tensor<8x8xf32> {genie.weight = @w}, %{{.*}}: tensor<4x8xf32> {genie.place = 1 : i64, genie.state = @s}
genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.state @s : tensor<4x8xf32>
func.func @main(%x: tensor<4x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}, %s: tensor<4x8xf32> {genie.state = @s}) -> (tensor<4x8xf32> {genie.output = "y"}) {
  // CHECK: genie.permute {{.*}}genie.place = 0
  %t = genie.permute %w {permutation = array<i64: 1, 0>} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  // CHECK: genie.linear {{.*}}genie.place = 2
  %0 = genie.linear %x, %w {genie.module = "a.lin:Linear"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.linear {{.*}}genie.place = 0
  %1 = genie.linear %0, %t {genie.module = "b.near:Linear"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.relu {{.*}}genie.place = 0
  %2 = genie.relu %1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.add {{.*}}genie.place = 1
  %3 = genie.add %2, %s {genie.module = "b.far:Add"} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: genie.state_update {{.*}}genie.place = 1
  genie.state_update %3, @s : tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}
