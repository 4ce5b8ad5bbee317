// RUN: geniec %s --explain-semantics | FileCheck %s
// A result shaped as an input, and a number of the call that enters as sines and cosines: a step of diffusion.

// CHECK: denoise: diffusion (0.95)
// CHECK: denoise 0.90 image 0.75 time-embedding 0.95 sines and cosines of a number of the call
func.func @denoise(%x: tensor<2x4x8x8xf32> {genie.input = "x"}, %t: tensor<2xi64> {genie.input = "t"}, %f: tensor<4xf32> {genie.weight = @f}, %w: tensor<4x8xf32> {genie.weight = @w}) -> (tensor<2x4x8x8xf32> {genie.output = "y"}) {
  %column = genie.reshape %t : (tensor<2xi64>) -> tensor<2x1xi64>
  %time = genie.cast %column : (tensor<2x1xi64>) -> tensor<2x1xf32>
  %angle = genie.mul %time, %f : (tensor<2x1xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %cos = genie.cos %angle : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %sin = genie.sin %angle : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %both = genie.concat %cos, %sin {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  %shift = genie.linear %both, %w : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %wide = genie.reshape %shift : (tensor<2x4xf32>) -> tensor<2x4x1x1xf32>
  %y = genie.add %x, %wide : (tensor<2x4x8x8xf32>, tensor<2x4x1x1xf32>) -> tensor<2x4x8x8xf32>
  return %y : tensor<2x4x8x8xf32>
}

// Without such a number it is none.
// CHECK: denoise_by_itself: vision
func.func @denoise_by_itself(%x: tensor<2x3x8x8xf32> {genie.input = "x"}, %k: tensor<3x3x3x3xf32> {genie.weight = @k}) -> (tensor<2x3x8x8xf32> {genie.output = "y"}) {
  %y = genie.conv %x, %k {stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<2x3x8x8xf32>, tensor<3x3x3x3xf32>) -> tensor<2x3x8x8xf32>
  return %y : tensor<2x3x8x8xf32>
}
genie.weight @f {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<4xf32>
genie.weight @w {file = "w.bin", offset = 16 : i64, strides = array<i64: 8, 1>} : tensor<4x8xf32>
genie.weight @k {file = "w.bin", offset = 0 : i64, strides = array<i64: 27, 9, 3, 1>} : tensor<3x3x3x3xf32>
