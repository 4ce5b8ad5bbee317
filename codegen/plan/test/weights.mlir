// Equal weights, by file range and by how they are computed, are shipped once; what nothing reads is not shipped.
// RUN: printf '%%0256d' 0 > %t.bin
// RUN: sed 's|WEIGHTS|%t.bin|' %s > %t.mlir
// RUN: geniec %t.mlir -o %t.gplan
// RUN: genie inspect %t.gplan | FileCheck %s
// RUN: geniec %t.mlir --emit=plan > %t.text
// RUN: genie inspect %t.gplan | diff %t.text -

// CHECK-COUNT-1: gplan.weight
// CHECK-NOT: gplan.weight
genie.weight @a {file = "WEIGHTS", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
genie.weight @tied {file = "WEIGHTS", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
genie.weight @unused {file = "WEIGHTS", offset = 128 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
func.func @main(%x: tensor<4x8xf32> {genie.input = "x"}, %a: tensor<4x8xf32> {genie.weight = @a},
                %b: tensor<4x8xf32> {genie.weight = @unused}) -> (tensor<4x8xf32> {genie.output = "y"}) {
  %0 = genie.add %x, %a : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
func.func @second(%x: tensor<4x8xf32> {genie.input = "x"}, %t: tensor<4x8xf32> {genie.weight = @tied})
    -> (tensor<4x8xf32> {genie.output = "y"}) {
  %0 = genie.add %x, %t : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
