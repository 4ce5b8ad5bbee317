// What `genie pool measure` runs on two nodes, "a" and "b". A state lives where the first entry that uses it puts it: "large"
// sends one as it is.
genie.state @large_a : tensor<16777216xf32>
genie.state @large_b : tensor<16777216xf32>
genie.state @small_a : tensor<1x8xf32>
genie.state @small_b : tensor<1x8xf32>

func.func @fill(%large: tensor<16777216xf32> {genie.state = @large_a}, %other: tensor<16777216xf32> {genie.state = @large_b}, %small: tensor<1x8xf32> {genie.state = @small_a}, %b: tensor<1x8xf32> {genie.state = @small_b}) {
  %one = genie.constant dense<1.0> : tensor<f32>
  %0 = genie.add %large, %one {genie.module = "a:A"} : (tensor<16777216xf32>, tensor<f32>) -> tensor<16777216xf32>
  %1 = genie.add %small, %one {genie.module = "a:A"} : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %2 = genie.add %b, %one {genie.module = "b:B"} : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %3 = genie.add %other, %one {genie.module = "b:B"} : (tensor<16777216xf32>, tensor<f32>) -> tensor<16777216xf32>
  genie.state_update %3, @large_b : tensor<16777216xf32>
  genie.state_update %0, @large_a : tensor<16777216xf32>
  genie.state_update %1, @small_a : tensor<1x8xf32>
  genie.state_update %2, @small_b : tensor<1x8xf32>
  return
}

// 64 MiB from a to b, where they are read; and the reading alone.
func.func @large(%large: tensor<16777216xf32> {genie.state = @large_a}) {
  %0 = genie.reshape %large {genie.module = "b:B"} : (tensor<16777216xf32>) -> tensor<8x2097152xf32>
  %1 = genie.sum %0 {genie.module = "b:B", axes = array<i64: 1>} : (tensor<8x2097152xf32>) -> tensor<8xf32>
  %2 = genie.reshape %1 {genie.module = "b:B"} : (tensor<8xf32>) -> tensor<1x8xf32>
  genie.state_update %2, @small_b : tensor<1x8xf32>
  return
}

func.func @read(%large: tensor<16777216xf32> {genie.state = @large_b}) {
  %0 = genie.reshape %large {genie.module = "b:B"} : (tensor<16777216xf32>) -> tensor<8x2097152xf32>
  %1 = genie.sum %0 {genie.module = "b:B", axes = array<i64: 1>} : (tensor<8x2097152xf32>) -> tensor<8xf32>
  %2 = genie.reshape %1 {genie.module = "b:B"} : (tensor<8xf32>) -> tensor<1x8xf32>
  genie.state_update %2, @small_b : tensor<1x8xf32>
  return
}

// 32 bytes from a to b.
func.func @one(%a: tensor<1x8xf32> {genie.state = @small_a}) {
  %0 = genie.softmax %a {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %1 = genie.softmax %0 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  genie.state_update %1, @small_b : tensor<1x8xf32>
  return
}

// The same to and fro, nine times in all.
func.func @nine(%a: tensor<1x8xf32> {genie.state = @small_a}) {
  %0 = genie.softmax %a {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %1 = genie.softmax %0 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %2 = genie.softmax %1 {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %3 = genie.softmax %2 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %4 = genie.softmax %3 {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %5 = genie.softmax %4 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %6 = genie.softmax %5 {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %7 = genie.softmax %6 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %8 = genie.softmax %7 {genie.module = "a:A", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %9 = genie.softmax %8 {genie.module = "b:B", axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  genie.state_update %9, @small_b : tensor<1x8xf32>
  return
}
