// A state is updated in place where nothing reads its old value later, and copied at the end of the call where something does.
// RUN: geniec %s --emit=plan | FileCheck %s

// CHECK: %[[CACHE:.*]] = gplan.state "cache" "f32"
// CHECK: %[[OTHER:.*]] = gplan.state "other" "f32"

// CHECK: gplan.entry "in_place"
// CHECK-DAG: %[[OLD:.*]] = gplan.slice "read" %[[CACHE]]
// CHECK-DAG: %[[NEW:.*]] = gplan.slice "write" %[[CACHE]]
// CHECK: gplan.launch {{.*}}(%[[OLD]], {{.*}}, %[[NEW]]
// CHECK-NOT: gplan.copy
func.func @in_place(%c: tensor<16x8xf32> {genie.state = @cache}, %u: tensor<16x8xf32> {genie.input = "u"})
    -> (tensor<16x8xf32> {genie.output = "z"}) {
  %0 = genie.add %c, %u : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xf32>
  genie.state_update %0, @cache : tensor<16x8xf32>
  %1 = genie.softmax %0 {axis = 1 : i64} : (tensor<16x8xf32>) -> tensor<16x8xf32>
  return %1 : tensor<16x8xf32>
}

// The new value of the first waits in a temporary until the second has read the old one.
// CHECK: gplan.entry "exchange"
// CHECK: %[[WAITS:.*]] = gplan.slab "write"
// CHECK: %[[READ:.*]] = gplan.slice "read" %[[CACHE]]
// CHECK: gplan.launch {{.*}}(%[[READ]], %{{.*}})
// CHECK: %[[FROM:.*]] = gplan.slab "read"
// CHECK: %[[TO:.*]] = gplan.slice "write" %[[CACHE]]
// CHECK: gplan.copy place 0 stream 0 %[[FROM]] to %[[TO]]
func.func @exchange(%c: tensor<16x8xf32> {genie.state = @cache}, %o: tensor<16x8xf32> {genie.state = @other}) {
  genie.state_update %o, @cache : tensor<16x8xf32>
  genie.state_update %c, @other : tensor<16x8xf32>
  return
}
genie.state @cache : tensor<16x8xf32>
genie.state @other : tensor<16x8xf32>
