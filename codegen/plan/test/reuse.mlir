// Temporaries share memory when their lifetimes do not meet: of four of 4096 bytes, at most two live at a time.
// RUN: geniec %s --emit=plan | FileCheck %s

// CHECK: gplan.place "local:cpu0" device "cpu" slab {{4096|8192}} state 0 sum 16384
func.func @main(%x: tensor<32x32xf32> {genie.input = "x"}) -> (tensor<32x32xf32> {genie.output = "y"}) {
  %0 = genie.softmax %x {axis = 0 : i64} : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %1 = genie.softmax %0 {axis = 1 : i64} : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %2 = genie.softmax %1 {axis = 0 : i64} : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %3 = genie.softmax %2 {axis = 1 : i64} : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %4 = genie.softmax %3 {axis = 0 : i64} : (tensor<32x32xf32>) -> tensor<32x32xf32>
  return %4 : tensor<32x32xf32>
}
