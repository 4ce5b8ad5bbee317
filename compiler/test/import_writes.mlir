// A write to a buffer becomes a state update, one to an input an output of its name; views are written through.
// RUN: python3 %S/pack_archive.py %S/cases/writes.json %t.pt2
// RUN: geniec %t.pt2 --emit=import | FileCheck %s

// CHECK: genie.state @state.cache {initial = @cache} : tensor<2x4xf32>
// CHECK: genie.state @state.count {initial = @count} : tensor<1xi64>
// CHECK: func.func @main(%[[X:.*]]: tensor<2x2xf32> {genie.input = "x"}, %[[Y:.*]]: tensor<3x2xf32> {genie.input = "y"},
// CHECK-SAME: %[[CACHE:.*]]: tensor<2x4xf32> {genie.state = @state.cache}
// CHECK-SAME: -> (tensor<2xf32> {genie.output = "output0"}, tensor<3x2xf32> {genie.output = "y"})
// CHECK: %[[NEXT:.*]] = genie.slice_scatter %[[CACHE]], %[[X]]
// CHECK: %[[COUNT:.*]] = genie.add
// CHECK: %[[T:.*]] = genie.permute %[[Y]]
// CHECK: %[[WRITTEN:.*]] = genie.slice_scatter %[[T]]
// CHECK: %[[BACK:.*]] = genie.permute %[[WRITTEN]]
// CHECK: %[[SUM:.*]] = genie.sum %[[NEXT]]
// CHECK: genie.state_update %[[NEXT]], @state.cache
// CHECK: genie.state_update %[[COUNT]], @state.count
// CHECK: return %[[SUM]], %[[BACK]]
