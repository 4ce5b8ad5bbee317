// The gated feed-forward network of a language model, as `geniec --emit=genie` prints it.
func.func @main(%ids: tensor<1x6xi64> {genie.input = "ids"}, %table: tensor<30x8xf32> {genie.weight = @table}, %gate: tensor<16x8xf32> {genie.weight = @gate}, %up: tensor<16x8xf32> {genie.weight = @up}, %down: tensor<8x16xf32> {genie.weight = @down}) -> (tensor<1x6x8xf32> {genie.output = "y"}) {
  %0 = genie.embedding %table, %ids {genie.module = "tokens:Embedding"} : (tensor<30x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %1 = genie.linear %0, %gate {genie.module = "inner.gate:Linear"} : (tensor<1x6x8xf32>, tensor<16x8xf32>) -> tensor<1x6x16xf32>
  %2 = genie.silu %1 {genie.module = "inner:Inner"} : (tensor<1x6x16xf32>) -> tensor<1x6x16xf32>
  %3 = genie.linear %0, %up {genie.module = "inner.up:Linear"} : (tensor<1x6x8xf32>, tensor<16x8xf32>) -> tensor<1x6x16xf32>
  %4 = genie.mul %2, %3 {genie.module = "inner:Inner"} : (tensor<1x6x16xf32>, tensor<1x6x16xf32>) -> tensor<1x6x16xf32>
  %5 = genie.linear %4, %down {genie.module = "inner.down:Linear"} : (tensor<1x6x16xf32>, tensor<8x16xf32>) -> tensor<1x6x8xf32>
  return %5 : tensor<1x6x8xf32>
}
genie.weight @table {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<30x8xf32>
genie.weight @gate {file = "w.bin", offset = 960 : i64, strides = array<i64: 8, 1>} : tensor<16x8xf32>
genie.weight @up {file = "w.bin", offset = 1472 : i64, strides = array<i64: 8, 1>} : tensor<16x8xf32>
genie.weight @down {file = "w.bin", offset = 1984 : i64, strides = array<i64: 16, 1>} : tensor<8x16xf32>
