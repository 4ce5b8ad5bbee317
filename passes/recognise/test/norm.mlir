// RUN: geniec %s --run-pass=simplify,recognise-norm | FileCheck %s
// An rms_norm that the model spells out becomes one op.

// CHECK-LABEL: func.func @main
// CHECK-NEXT: genie.rms_norm %arg0, %arg1 {eps = {{.*}}, normalized_rank = 1 : i64}
// CHECK-NEXT: return
func.func @main(%x: tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>> {genie.input = "x"}, %w: tensor<64xf32> {genie.weight = @w})
    -> (tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>> {genie.output = "y"})
    attributes {genie.symbols = [{max = 64, min = 1, multiple = 1, name = "s0"}]} {
  %two = genie.constant dense<2.0> : tensor<f32>
  %eps = genie.constant dense<1.0e-6> : tensor<f32>
  %0 = genie.pow %x, %two : (tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>, tensor<f32>) -> tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>
  %1 = genie.mean %0 {axes = array<i64: 1>, keepdim = true} : (tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>) -> tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>
  %2 = genie.add %1, %eps : (tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>, tensor<f32>) -> tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>
  %3 = genie.rsqrt %2 : (tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>) -> tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>
  %4 = genie.mul %x, %3 : (tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>, tensor<?x1xf32, affine_map<()[s0] -> (s0, 1)>>) -> tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>
  %5 = genie.mul %w, %4 : (tensor<64xf32>, tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>) -> tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>
  return %5 : tensor<?x64xf32, affine_map<()[s0] -> (s0, 64)>>
}
genie.weight @w {file = "w.bin", offset = 0 : i64, strides = array<i64: 1>} : tensor<64xf32>
