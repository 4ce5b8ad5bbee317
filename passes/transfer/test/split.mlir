// RUN: geniec %s --place '*=node1:cpu0' --place 'b.*=node2:cpu0' --place 'c.*=node1:cpu1' --run-pass=place,transfer,split | FileCheck %s
// RUN: sed 's/relu/hardswish/' %s > %t.other.mlir && geniec %t.other.mlir --place '*=node1:cpu0' --place 'b.*=node2:cpu0' --place 'c.*=node1:cpu1' --run-pass=place,transfer,split | FileCheck %s --check-prefix=OTHER
// What is large and made by rows is made, sent and read in pieces of at least 1 MiB, one after the other,
// whatever elementwise op is between.
// OTHER: genie.hardswish {{.*}} -> tensor<1x512x512xf32>

genie.weight @w {file = "w", offset = 0 : i64, strides = array<i64: 512, 1>} : tensor<512x512xf32>
// CHECK-LABEL: func.func @rows
func.func @rows(%x: tensor<1x1024x512xf32> {genie.input = "x"}, %w: tensor<512x512xf32> {genie.weight = @w}) -> (tensor<1x1024x512xf32> {genie.output = "y"}) {
  // CHECK: %[[L0:.*]] = genie.linear {{.*}} -> tensor<1x512x512xf32>
  // CHECK: %[[R0:.*]] = genie.relu %[[L0]]
  // CHECK: %[[T0:.*]] = genie.transfer %[[R0]] {{.*}}genie.value = "a:relu[0:512]"
  // CHECK: %[[L1:.*]] = genie.linear {{.*}} -> tensor<1x512x512xf32>
  // CHECK: %[[R1:.*]] = genie.relu %[[L1]]
  // CHECK: %[[T1:.*]] = genie.transfer %[[R1]] {{.*}}genie.value = "a:relu[512:1024]"
  // CHECK: %[[Y0:.*]] = genie.linear %[[T0]], {{.*}}genie.place = 1
  // CHECK: %[[Y1:.*]] = genie.linear %[[T1]], {{.*}}genie.place = 1
  // CHECK: %[[Y:.*]] = genie.concat %[[Y0]], %[[Y1]] {axis = 1
  // CHECK: return %[[Y]]
  %0 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<1x1024x512xf32>, tensor<512x512xf32>) -> tensor<1x1024x512xf32>
  %1 = genie.relu %0 {genie.module = "a:A"} : (tensor<1x1024x512xf32>) -> tensor<1x1024x512xf32>
  %2 = genie.linear %1, %w {genie.module = "b:B"} : (tensor<1x1024x512xf32>, tensor<512x512xf32>) -> tensor<1x1024x512xf32>
  return %2 : tensor<1x1024x512xf32>
}
// A value that is read here too is sent in rows of the whole; what needs all rows reads them joined.
// CHECK-LABEL: func.func @shared
func.func @shared(%x: tensor<1024x512xf32> {genie.input = "x"}, %w: tensor<512x512xf32> {genie.weight = @w}) -> (tensor<1024x512xf32> {genie.output = "y"}, tensor<512xf32> {genie.output = "z"}) {
  // CHECK: %[[L:.*]] = genie.linear {{.*}} -> tensor<1024x512xf32>
  // CHECK: genie.slice %[[L]]
  // CHECK: genie.transfer {{.*}}[0:512]
  // CHECK: genie.transfer {{.*}}[512:1024]
  // CHECK: %[[C:.*]] = genie.concat
  // CHECK: genie.sum %[[C]]
  %0 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<1024x512xf32>, tensor<512x512xf32>) -> tensor<1024x512xf32>
  %1 = genie.relu %0 {genie.module = "a:A"} : (tensor<1024x512xf32>) -> tensor<1024x512xf32>
  %2 = genie.linear %0, %w {genie.module = "b:B"} : (tensor<1024x512xf32>, tensor<512x512xf32>) -> tensor<1024x512xf32>
  %3 = genie.sum %2 {genie.module = "b:B", axes = array<i64: 0>, keepdim = false} : (tensor<1024x512xf32>) -> tensor<512xf32>
  return %1, %3 : tensor<1024x512xf32>, tensor<512xf32>
}
// Nothing overlaps with a softmax over all, a small value, or one that stays within its node.
// CHECK-LABEL: func.func @whole
func.func @whole(%x: tensor<1024x512xf32> {genie.input = "x"}, %s: tensor<512x512xf32> {genie.input = "s"}, %w: tensor<512x512xf32> {genie.weight = @w}) -> (tensor<1024x512xf32> {genie.output = "y"}, tensor<512x512xf32> {genie.output = "z"}, tensor<1024x512xf32> {genie.output = "u"}) {
  // CHECK-NOT: genie.concat
  // CHECK: return
  %0 = genie.softmax %x {genie.module = "a:A", axis = 0 : i64} : (tensor<1024x512xf32>) -> tensor<1024x512xf32>
  %1 = genie.exp %0 {genie.module = "b:B"} : (tensor<1024x512xf32>) -> tensor<1024x512xf32>
  %2 = genie.linear %s, %w {genie.module = "a:A"} : (tensor<512x512xf32>, tensor<512x512xf32>) -> tensor<512x512xf32>
  %3 = genie.exp %2 {genie.module = "b:B"} : (tensor<512x512xf32>) -> tensor<512x512xf32>
  %4 = genie.linear %x, %w {genie.module = "a:A"} : (tensor<1024x512xf32>, tensor<512x512xf32>) -> tensor<1024x512xf32>
  %5 = genie.exp %4 {genie.module = "c:C"} : (tensor<1024x512xf32>) -> tensor<1024x512xf32>
  return %1, %3, %5 : tensor<1024x512xf32>, tensor<512x512xf32>, tensor<1024x512xf32>
}
