// Dynamic sizes are symbols with the export's ranges; places, modules and phases travel with the ops.
// RUN: python3 %S/pack_archive.py %S/cases/sizes.json %t.pt2
// RUN: geniec %t.pt2 --emit=import --locations 2>%t.notes | FileCheck %s
// RUN: FileCheck %s --check-prefix=NOTE < %t.notes
// RUN: geniec %t.pt2 --emit=import --max-symbol=s27=64 2>&1 | FileCheck %s --check-prefix=BOUND

// NOTE: dynamic size s27 has no upper bound in the export; the plan takes at most 512 (--max-symbol=s27=N
// BOUND-NOT: note:
// BOUND: {max = 64 : i64, min = 2 : i64, multiple = 1 : i64, name = "s27"}

// CHECK-DAG: #[[X:.*]] = affine_map<()[s0, s1] -> (s0, s1, 4)>
// CHECK-DAG: #[[ROWS:.*]] = affine_map<()[s0, s1] -> (s0 * s1 - 1, 3)>
// CHECK: func.func @main(%{{.*}}: tensor<?x?x4xf32, #[[X]]> {genie.input = "x"}
// CHECK-SAME: {genie.output = "scores"}
// CHECK-SAME: tensor<?x3xf32, #[[ROWS]]> {genie.output = "rows.0"}
// CHECK-SAME: {genie.output = "rows.1"}
// CHECK-SAME: genie.symbols = [{max = 8 : i64, min = 2 : i64, multiple = 1 : i64, name = "s31"}
// CHECK: genie.linear {{.*}} {genie.module = "head:Linear", genie.phase = "encode", genie.role = "scorer"} {{.*}} loc(#[[LINE:.*]])
// CHECK: genie.where
// CHECK: genie.iota
// CHECK: #[[LINE]] = loc("export_cases.py":{{[0-9]+}}:0)
