// Tied weights are one symbol, views of a storage keep their strides, small constants are literals, dtypes are explicit.
// RUN: python3 %S/pack_archive.py %S/cases/tied.json %t.pt2
// RUN: geniec %t.pt2 --emit=import | FileCheck %s

// CHECK: genie.weight @[[TABLE:.*]] {file = {{.*}}strides = array<i64: 2, 1>} : tensor<5x2xf32>
// CHECK-NOT: tensor<5x2xf32>
// CHECK: genie.weight @column {{.*}}strides = array<i64: 4>} : tensor<3xf32>
// CHECK: func.func @main(%[[IDS:.*]]: tensor<3xi64> {genie.input = "ids"}, %[[W:.*]]: tensor<5x2xf32> {genie.weight = @[[TABLE]]}
// CHECK: genie.constant dense<[1.000000e+00, 5.000000e-01]> : tensor<2xf32>
// CHECK: genie.embedding %[[W]], %[[IDS]]
// CHECK: genie.linear {{.*}}, %[[W]]
// CHECK: %[[F:.*]] = genie.cast %[[IDS]] {{.*}}-> tensor<3xf32>
// CHECK: genie.div %[[F]]
// CHECK: genie.gt {{.*}} (tensor<3xf32>, tensor<f32>) -> tensor<3xi1>
// CHECK: genie.sum %[[IDS]] {{.*}} -> tensor<i64>
