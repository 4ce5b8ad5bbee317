// RUN: geniec %s --run-pass=fuse-anchors,layout,pack | FileCheck %s
// RUN: geniec %s --run-pass=fuse-anchors,layout,pack --convolutions=direct | FileCheck %s --check-prefix=DIRECT
// 3 x 3 convolutions of channels-last images are computed by minimal filtering where that is clearly faster: in tiles of
// 4 x 4 pixels where the image is large beside the weight, of 2 x 2 where it is small.

// DIRECT-NOT: winograd
// DIRECT-COUNT-5: genie.pack {{.*}}"conv_n"
// CHECK-LABEL: func.func @by_image_size
// CHECK: genie.pack %{{.*}} {format = "conv_n", {{.*}}(tensor<64x3x3x3xf32>)
// CHECK: genie.pack %{{.*}} {format = "winograd_4", width = 32 : i64} : (tensor<64x64x3x3xf32>) -> tensor<2x6x6x64x32xf32>
// CHECK: genie.pack %{{.*}} {format = "conv_n", {{.*}}(tensor<256x64x3x3xf32>)
// CHECK: genie.pack %{{.*}} {format = "winograd_2", width = 32 : i64} : (tensor<256x256x3x3xf32>) -> tensor<8x4x4x256x32xf32>
func.func @by_image_size(%x: tensor<1x3x40x40xf32> {genie.input = "x"}, %0: tensor<64x3x3x3xf32> {genie.weight = @w0}, %1: tensor<64x64x3x3xf32> {genie.weight = @w1}, %2: tensor<256x64x3x3xf32> {genie.weight = @w2}, %3: tensor<256x256x3x3xf32> {genie.weight = @w3}) -> (tensor<1x256x10x10xf32> {genie.output = "y"}) {
  %4 = genie.conv %x, %0 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x3x40x40xf32>, tensor<64x3x3x3xf32>) -> tensor<1x64x40x40xf32>
  %5 = genie.conv %4, %1 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x64x40x40xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x40x40xf32>
  %6 = genie.conv %5, %2 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 4, 4>, dilation = array<i64: 1, 1>} : (tensor<1x64x40x40xf32>, tensor<256x64x3x3xf32>) -> tensor<1x256x10x10xf32>
  %7 = genie.conv %6, %3 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x256x10x10xf32>, tensor<256x256x3x3xf32>) -> tensor<1x256x10x10xf32>
  return %7 : tensor<1x256x10x10xf32>
}

// Of an image of one pixel most of a tile is beyond the edge; an image that enters in row-major order is read directly.
// CHECK-LABEL: func.func @too_small
// CHECK-NOT: winograd
// CHECK: return
func.func @too_small(%x: tensor<1x64x1x1xf32> {genie.input = "x"}, %1: tensor<64x64x3x3xf32> {genie.weight = @w1}) -> (tensor<1x64x1x1xf32> {genie.output = "y"}) {
  %2 = genie.conv %x, %1 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x64x1x1xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x1x1xf32>
  %3 = genie.conv %2, %1 {padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x64x1x1xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x1x1xf32>
  return %3 : tensor<1x64x1x1xf32>
}
genie.weight @w0 {file = "w.bin", offset = 0 : i64, strides = array<i64: 27, 9, 3, 1>} : tensor<64x3x3x3xf32>
genie.weight @w1 {file = "w.bin", offset = 0 : i64, strides = array<i64: 576, 9, 3, 1>} : tensor<64x64x3x3xf32>
genie.weight @w2 {file = "w.bin", offset = 0 : i64, strides = array<i64: 576, 9, 3, 1>} : tensor<256x64x3x3xf32>
genie.weight @w3 {file = "w.bin", offset = 0 : i64, strides = array<i64: 2304, 9, 3, 1>} : tensor<256x256x3x3xf32>
