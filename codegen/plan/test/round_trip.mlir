// What geniec prints of a plan and what genie prints of its file is one text, and it parses.
// RUN: geniec %s --emit=plan > %t.mlir
// RUN: geniec %s -o %t.gplan
// RUN: genie inspect %t.gplan | diff %t.mlir -
// RUN: geniec %t.mlir --emit=import | diff %t.mlir -
// RUN: FileCheck %s < %t.mlir

// Sizes are expressions over the symbols; memory is planned for their upper bounds: 4 x 128 rows of 8 f32.
// CHECK: gplan.state "total" "f32"(%{{.*}}, %{{.*}}) place 0 offset 0 bytes 128
// CHECK: gplan.entry "main"
// CHECK: %[[B:.*]] = gplan.symbol "s0" from 1 to 4 multiple 1 input 0 dim 0
// CHECK: %[[S:.*]] = gplan.symbol "s1" from 2 to 128 multiple 2 input 0 dim 1
// CHECK: gplan.input "x" "f32"(%[[B]], %[[S]], %{{.*}}) place 0 bytes 16384
// CHECK: gplan.slab "write" place 0 offset {{.*}} maximum 16384
// CHECK: gplan.launch place 0 stream 0 "softmax
// CHECK: gplan.entry "reset"
#t = affine_map<()[s0, s1] -> (s0, s1, 8)>
genie.state @total : tensor<4x8xf32>
func.func @main(%x: tensor<?x?x8xf32, #t> {genie.input = "x"}, %t: tensor<4x8xf32> {genie.state = @total},
                %u: tensor<4x8xf32> {genie.input = "quoted \22name\22"})
    -> (tensor<?x?x8xf32, #t> {genie.output = "z"}, tensor<4x8xf32> {genie.output = "before"})
    attributes {genie.symbols = [{name = "s0", min = 1 : i64, max = 4 : i64, multiple = 1 : i64},
                                 {name = "s1", min = 2 : i64, max = 128 : i64, multiple = 2 : i64}]} {
  %0 = genie.softmax %x {axis = 2 : i64} : (tensor<?x?x8xf32, #t>) -> tensor<?x?x8xf32, #t>
  %1 = genie.softmax %0 {axis = 1 : i64} : (tensor<?x?x8xf32, #t>) -> tensor<?x?x8xf32, #t>
  %2 = genie.add %t, %u : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  genie.state_update %2, @total : tensor<4x8xf32>
  return %1, %t : tensor<?x?x8xf32, #t>, tensor<4x8xf32>
}
func.func @reset(%v: tensor<4x8xf32> {genie.input = "v"}) {
  genie.state_update %v, @total : tensor<4x8xf32>
  return
}
