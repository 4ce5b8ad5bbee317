// Three layers over a slow device beside the caller and a fast one far away. All rows go through them together.
module attributes {genie.objective = "latency", genie.micro_batches = 1 : i64,
    genie.places = [{name = "edge:cpu0", kind = "cpu", flops = {f32 = 1.0e11}, memory_bytes_per_s = 2.0e10},
                    {name = "centre:cpu0", kind = "cpu", flops = {f32 = 8.0e11}, memory_bytes_per_s = 1.6e11}],
    genie.links = [{from = -1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64},
                   {from = 0 : i64, to = -1 : i64, bytes_per_s = 1.0e9, latency_ns = 20000 : i64},
                   {from = -1 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 900000 : i64},
                   {from = 1 : i64, to = -1 : i64, bytes_per_s = 1.0e9, latency_ns = 900000 : i64},
                   {from = 0 : i64, to = 1 : i64, bytes_per_s = 1.0e9, latency_ns = 800000 : i64},
                   {from = 1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 800000 : i64}]} {
  func.func @main(%image: tensor<256x1024xf32> {genie.input = "image"}, %w00: tensor<1024x1024xf32> {genie.weight = @w00}, %w01: tensor<1024x1024xf32> {genie.weight = @w01}, %w10: tensor<1024x1024xf32> {genie.weight = @w10}, %w11: tensor<1024x1024xf32> {genie.weight = @w11}, %w20: tensor<1024x1024xf32> {genie.weight = @w20}, %w21: tensor<1024x1024xf32> {genie.weight = @w21}) -> (tensor<256x1024xf32> {genie.output = "y"}) {
    %0 = genie.linear %image, %w00 {genie.module = "layers.0:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %1 = genie.relu %0 {genie.module = "layers.0:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    %2 = genie.linear %1, %w01 {genie.module = "layers.0:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %3 = genie.relu %2 {genie.module = "layers.0:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    %4 = genie.linear %3, %w10 {genie.module = "layers.1:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %5 = genie.relu %4 {genie.module = "layers.1:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    %6 = genie.linear %5, %w11 {genie.module = "layers.1:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %7 = genie.relu %6 {genie.module = "layers.1:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    %8 = genie.linear %7, %w20 {genie.module = "layers.2:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %9 = genie.relu %8 {genie.module = "layers.2:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    %10 = genie.linear %9, %w21 {genie.module = "layers.2:Layer"} : (tensor<256x1024xf32>, tensor<1024x1024xf32>) -> tensor<256x1024xf32>
    %11 = genie.relu %10 {genie.module = "layers.2:Layer"} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
    return %11 : tensor<256x1024xf32>
  }
  genie.weight @w00 {file = "w.bin", offset = 0 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w01 {file = "w.bin", offset = 4194304 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w10 {file = "w.bin", offset = 8388608 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w11 {file = "w.bin", offset = 12582912 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w20 {file = "w.bin", offset = 16777216 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
  genie.weight @w21 {file = "w.bin", offset = 20971520 : i64, strides = array<i64: 1024, 1>} : tensor<1024x1024xf32>
}
