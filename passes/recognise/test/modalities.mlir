// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// RUN: geniec %s --explain-semantics | FileCheck %s --check-prefix=CLASS
// An op has the modality of the inputs that it depends on; where modalities meet is fusion.

// CLASS: question: multi-modal (0.95): image+text enter and meet
// CHECK-LABEL: func.func @question
// CHECK: genie.conv {{.*}}genie.modality = "image", genie.phase = "encode", genie.role = "patch-stem"
// CHECK: genie.reshape {{.*}}genie.modality = "image"
// CHECK: genie.embedding {{.*}}genie.modality = "text", genie.phase = "encode", genie.role = "token-embedding"
// CHECK: genie.concat {{.*}}genie.modality = "image+text", genie.phase = "fuse", genie.role = "fusion"
// CHECK: genie.attention {{.*}}genie.modality = "image+text", genie.phase = "fuse"
func.func @question(%pixels: tensor<1x3x16x16xf32> {genie.input = "pixels"}, %ids: tensor<1x6xi64> {genie.input = "ids"}, %t: tensor<30x8xf32> {genie.weight = @table}, %k: tensor<8x3x8x8xf32> {genie.weight = @patch}) -> (tensor<1x10x8xf32> {genie.output = "y"}) {
  %p = genie.conv %pixels, %k {stride = array<i64: 8, 8>, padding_low = array<i64: 0, 0>, padding_high = array<i64: 0, 0>, dilation = array<i64: 1, 1>} : (tensor<1x3x16x16xf32>, tensor<8x3x8x8xf32>) -> tensor<1x8x2x2xf32>
  %flat = genie.reshape %p : (tensor<1x8x2x2xf32>) -> tensor<1x8x4xf32>
  %patches = genie.permute %flat {permutation = array<i64: 0, 2, 1>} : (tensor<1x8x4xf32>) -> tensor<1x4x8xf32>
  %words = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %both = genie.concat %patches, %words {axis = 1 : i64} : (tensor<1x4x8xf32>, tensor<1x6x8xf32>) -> tensor<1x10x8xf32>
  %y = genie.attention %both, %both, %both {scale = 1.0 : f64} : (tensor<1x10x8xf32>, tensor<1x10x8xf32>, tensor<1x10x8xf32>) -> tensor<1x10x8xf32>
  return %y : tensor<1x10x8xf32>
}

// CLASS: sound: speech
// CHECK-LABEL: func.func @sound
// CHECK: genie.conv {{.*}}genie.modality = "audio", genie.phase = "encode", genie.role = "audio-stem"
func.func @sound(%samples: tensor<1x1x800xf32> {genie.input = "samples"}, %k: tensor<8x1x10xf32> {genie.weight = @wave}) -> (tensor<1x8x80xf32> {genie.output = "y"}) {
  %y = genie.conv %samples, %k {stride = array<i64: 10>, padding_low = array<i64: 0>, padding_high = array<i64: 0>, dilation = array<i64: 1>} : (tensor<1x1x800xf32>, tensor<8x1x10xf32>) -> tensor<1x8x80xf32>
  return %y : tensor<1x8x80xf32>
}

// What nothing tells stays unknown.
// CLASS: numbers: other
// CHECK-LABEL: func.func @numbers
// CHECK-NOT: genie.modality
// CHECK-NOT: genie.phase
// CHECK: return
func.func @numbers(%x: tensor<2x8xf32> {genie.input = "x"}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<2x8xf32> {genie.output = "y"}) {
  %y = genie.linear %x, %w : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}
genie.weight @table {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<30x8xf32>
genie.weight @w {file = "w.bin", offset = 960 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.weight @patch {file = "w.bin", offset = 0 : i64, strides = array<i64: 192, 64, 8, 1>} : tensor<8x3x8x8xf32>
genie.weight @wave {file = "w.bin", offset = 0 : i64, strides = array<i64: 10, 10, 1>} : tensor<8x1x10xf32>
