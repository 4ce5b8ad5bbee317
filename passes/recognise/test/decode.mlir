// RUN: geniec %s --run-pass=recognise-semantics | FileCheck %s
// RUN: geniec %s --explain-semantics | FileCheck %s --check-prefix=CLASS
// Decode is one query over a cache to which the call adds its own place, and nothing else.

// CLASS: step: llm-decode
// CHECK-LABEL: func.func @step
// CHECK-SAME: genie.workload = {class = "llm-decode"
// CHECK: genie.embedding {{.*}}genie.phase = "decode", genie.role = "token-embedding"
// CHECK: genie.index_copy {{.*}}genie.phase = "decode", genie.role = "kv-update"
// CHECK: genie.attention {{.*}}genie.attention = "self,cached"{{.*}}genie.modality = "text", genie.phase = "decode"
// CHECK: genie.linear {{.*}}genie.phase = "decode", genie.role = "head"
// CHECK: genie.argmax {{.*}}genie.phase = "sample", genie.role = "sampler"
// CHECK: genie.state_update {{.*}}genie.role = "kv-update"
func.func @step(%ids: tensor<1x1xi64> {genie.input = "ids"}, %at: tensor<1xi64> {genie.input = "at"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}, %c: tensor<1x16x8xf32> {genie.state = @keys}) -> (tensor<1x1xi64> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x1xi64>) -> tensor<1x1x8xf32>
  %q = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %k = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %new = genie.index_copy %c, %at, %k {axis = 1 : i64} : (tensor<1x16x8xf32>, tensor<1xi64>, tensor<1x1x8xf32>) -> tensor<1x16x8xf32>
  %y = genie.attention %q, %new, %new {scale = 1.0 : f64} : (tensor<1x1x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>) -> tensor<1x1x8xf32>
  %scores = genie.linear %y, %t : (tensor<1x1x8xf32>, tensor<30x8xf32>) -> tensor<1x1x30xf32>
  %best = genie.argmax %scores {axes = array<i64: 2>} : (tensor<1x1x30xf32>) -> tensor<1x1xi64>
  genie.state_update %new, @keys : tensor<1x16x8xf32>
  return %best : tensor<1x1xi64>
}

// Several tokens at once fill the cache: prefill.
// CLASS: fill: llm-prefill
// CHECK-LABEL: func.func @fill
// CHECK: genie.attention {{.*}}genie.phase = "prefill"
func.func @fill(%ids: tensor<1x3xi64> {genie.input = "ids"}, %at: tensor<3xi64> {genie.input = "at"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}, %c: tensor<1x16x8xf32> {genie.state = @keys}) -> (tensor<1x3x30xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x3xi64>) -> tensor<1x3x8xf32>
  %q = genie.linear %x, %w : (tensor<1x3x8xf32>, tensor<8x8xf32>) -> tensor<1x3x8xf32>
  %k = genie.linear %x, %w : (tensor<1x3x8xf32>, tensor<8x8xf32>) -> tensor<1x3x8xf32>
  %new = genie.index_copy %c, %at, %k {axis = 1 : i64} : (tensor<1x16x8xf32>, tensor<3xi64>, tensor<1x3x8xf32>) -> tensor<1x16x8xf32>
  %y = genie.attention %q, %new, %new {scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>) -> tensor<1x3x8xf32>
  %scores = genie.linear %y, %t : (tensor<1x3x8xf32>, tensor<30x8xf32>) -> tensor<1x3x30xf32>
  genie.state_update %new, @keys : tensor<1x16x8xf32>
  return %scores : tensor<1x3x30xf32>
}

// The cache may come from the caller and go back to it.
// CLASS: appended: llm-decode
// CHECK-LABEL: func.func @appended
// CHECK: genie.concat {{.*}}genie.role = "kv-update"
// CHECK: genie.attention {{.*}}genie.phase = "decode"
func.func @appended(%ids: tensor<1x1xi64> {genie.input = "ids"}, %past: tensor<1x16x8xf32> {genie.input = "past"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<1x1x8xf32> {genie.output = "y"}, tensor<1x17x8xf32> {genie.output = "keys"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x1xi64>) -> tensor<1x1x8xf32>
  %q = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %k = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %new = genie.concat %past, %k {axis = 1 : i64} : (tensor<1x16x8xf32>, tensor<1x1x8xf32>) -> tensor<1x17x8xf32>
  %y = genie.attention %q, %new, %new {scale = 1.0 : f64} : (tensor<1x1x8xf32>, tensor<1x17x8xf32>, tensor<1x17x8xf32>) -> tensor<1x1x8xf32>
  return %y, %new : tensor<1x1x8xf32>, tensor<1x17x8xf32>
}

// One query alone does not decode: it pools.
// CLASS: one_query_pools: encoder
// CHECK-LABEL: func.func @one_query_pools
// CHECK-NOT: "decode"
// CHECK: return
func.func @one_query_pools(%ids: tensor<1x6xi64> {genie.input = "ids"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}) -> (tensor<1x1x8xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %first = genie.slice %x {axis = 1 : i64, start = affine_map<() -> (0)>} : (tensor<1x6x8xf32>) -> tensor<1x1x8xf32>
  %q = genie.linear %first, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %k = genie.linear %x, %w : (tensor<1x6x8xf32>, tensor<8x8xf32>) -> tensor<1x6x8xf32>
  %y = genie.attention %q, %k, %k {scale = 1.0 : f64} : (tensor<1x1x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x1x8xf32>
  return %y : tensor<1x1x8xf32>
}

// Nor over a memory that the call only reads.
// CHECK-LABEL: func.func @a_memory_that_is_read
// CHECK-NOT: "decode"
// CHECK: return
func.func @a_memory_that_is_read(%ids: tensor<1x1xi64> {genie.input = "ids"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}, %c: tensor<1x16x8xf32> {genie.state = @keys}) -> (tensor<1x1x8xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x1xi64>) -> tensor<1x1x8xf32>
  %q = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %y = genie.attention %q, %c, %c {scale = 1.0 : f64} : (tensor<1x1x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>) -> tensor<1x1x8xf32>
  return %y : tensor<1x1x8xf32>
}

// Nor when what is written is of other states than the query: a memory of sound that grows.
// CHECK-LABEL: func.func @a_memory_of_something_else
// CHECK-NOT: "decode"
// CHECK: return
func.func @a_memory_of_something_else(%ids: tensor<1x1xi64> {genie.input = "ids"}, %z: tensor<1x1x8xf32> {genie.input = "z"}, %at: tensor<1xi64> {genie.input = "at"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}, %c: tensor<1x16x8xf32> {genie.state = @keys}) -> (tensor<1x1x8xf32> {genie.output = "y"}) {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x1xi64>) -> tensor<1x1x8xf32>
  %q = genie.linear %x, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %k = genie.linear %z, %w : (tensor<1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x8xf32>
  %new = genie.index_copy %c, %at, %k {axis = 1 : i64} : (tensor<1x16x8xf32>, tensor<1xi64>, tensor<1x1x8xf32>) -> tensor<1x16x8xf32>
  %y = genie.attention %q, %new, %new {scale = 1.0 : f64} : (tensor<1x1x8xf32>, tensor<1x16x8xf32>, tensor<1x16x8xf32>) -> tensor<1x1x8xf32>
  genie.state_update %new, @keys : tensor<1x16x8xf32>
  return %y : tensor<1x1x8xf32>
}

// Nor where the number of queries is known at run time only.
// CHECK-LABEL: func.func @any_number_of_queries
// CHECK-NOT: "decode"
// CHECK: return
func.func @any_number_of_queries(%ids: tensor<1x?xi64, affine_map<()[s0] -> (1, s0)>> {genie.input = "ids"}, %at: tensor<?xi64, affine_map<()[s0] -> (s0)>> {genie.input = "at"}, %t: tensor<30x8xf32> {genie.weight = @table}, %w: tensor<8x8xf32> {genie.weight = @w}, %c: tensor<1x16x8xf32> {genie.state = @keys}) -> (tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>> {genie.output = "y"}) attributes {genie.symbols = [{max = 16, min = 1, multiple = 1, name = "s0"}]} {
  %x = genie.embedding %t, %ids : (tensor<30x8xf32>, tensor<1x?xi64, affine_map<()[s0] -> (1, s0)>>) -> tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
  %q = genie.linear %x, %w : (tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>, tensor<8x8xf32>) -> tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
  %new = genie.index_copy %c, %at, %q {axis = 1 : i64} : (tensor<1x16x8xf32>, tensor<?xi64, affine_map<()[s0] -> (s0)>>, tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>) -> tensor<1x16x8xf32>
  %y = genie.attention %q, %new, %new {scale = 1.0 : f64} : (tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>, tensor<1x16x8xf32>, tensor<1x16x8xf32>) -> tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
  genie.state_update %new, @keys : tensor<1x16x8xf32>
  return %y : tensor<1x?x8xf32, affine_map<()[s0] -> (1, s0, 8)>>
}
genie.weight @table {file = "w.bin", offset = 0 : i64, strides = array<i64: 8, 1>} : tensor<30x8xf32>
genie.weight @w {file = "w.bin", offset = 960 : i64, strides = array<i64: 8, 1>} : tensor<8x8xf32>
genie.state @keys : tensor<1x16x8xf32>
