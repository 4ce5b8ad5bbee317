// RUN: head -c 256 /dev/zero > %t.bin
// RUN: sed "s|WEIGHTS|%t.bin|" %s > %t.mlir
// RUN: geniec %t.mlir --place 'a=local:cpu0' --place 'b=local:cpu1' --emit=plan > %t.plan
// RUN: geniec %t.mlir --place 'a=local:cpu0' --place 'b=local:cpu1' -o %t.gplan
// RUN: genie inspect %t.gplan | diff %t.plan -
// RUN: FileCheck %s < %t.plan
// RUN: genie inspect %t.gplan --place local:cpu1 | FileCheck --check-prefix=FAR %s
// RUN: not genie inspect %t.gplan --place local:cpu7 2>&1 | FileCheck --check-prefix=NONE %s
// Each place has a slab and states; a weight that two read is a tensor of each over the same bytes; what crosses is sent
// behind the kernel that makes it and received before the one that reads it.

// CHECK: gplan.place "local:cpu0" device "cpu" slab {{[0-9]+}} state 0
// CHECK: gplan.place "local:cpu1" device "cpu" slab {{[0-9]+}} state 128
// CHECK: gplan.weight "w" "f32"{{.*}} place 0 offset 0 bytes 256
// CHECK: gplan.weight "w" "f32"{{.*}} place 1 offset 0 bytes 256
// CHECK: gplan.state "s" "f32"{{.*}} place 1
// CHECK: gplan.input "x" "f32"{{.*}} place 0
// CHECK: gplan.output "y" "f32"{{.*}} place 0
// CHECK: gplan.output "z" "f32"{{.*}} place 1
// CHECK: gplan.transfer "a:linear" phase "{{.*}}" from 0 to 1 bytes
// CHECK: gplan.transfer "b:linear" phase "{{.*}}" from 1 to 0 bytes
// CHECK: gplan.launch place 0
// CHECK: gplan.send place 0 stream 0 %{{.*}} transfer 0
// CHECK: gplan.receive place 1 stream 0 %{{.*}} transfer 0
// CHECK: gplan.launch place 1
// CHECK: gplan.send place 1 stream 0 %{{.*}} transfer 1
// CHECK: gplan.receive place 0 stream 0 %{{.*}} transfer 1
// CHECK: gplan.launch place 0

// FAR-NOT: local:cpu0
// FAR: gplan.place "local:cpu1"
// FAR-NOT: place 0
// FAR: gplan.transfer
// FAR: gplan.receive place 1
// FAR-NOT: place 0
// FAR: gplan.send place 1
// NONE: no place 'local:cpu7'; the plan has local:cpu0 local:cpu1
genie.weight @w {file = "WEIGHTS", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.state @s : tensor<4x8xf32>
func.func @main(%x: tensor<4x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}, %s: tensor<4x8xf32> {genie.state = @s}) -> (tensor<4x8xf32> {genie.output = "y"}, tensor<4x8xf32> {genie.output = "z"}) {
  %0 = genie.linear %x, %w {genie.module = "a:A", genie.phase = "encode"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = genie.linear %0, %w {genie.module = "b:B"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = genie.add %2, %s {genie.module = "b:B"} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  genie.state_update %3, @s : tensor<4x8xf32>
  %4 = genie.linear %2, %w {genie.module = "a:A"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  return %4, %3 : tensor<4x8xf32>, tensor<4x8xf32>
}
