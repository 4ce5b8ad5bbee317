// What the driver promises of stages, passes and wrong usage.
// RUN: geniec %s --emit=genie | FileCheck %s
// RUN: geniec %s --run-pass=fuse-singletons | FileCheck %s --check-prefix=FUSED
// RUN: geniec %s --emit=import --dump-after=import 2>&1 >/dev/null | FileCheck %s --check-prefix=DUMP
// RUN: not geniec %s --emit=nothing 2>&1 | FileCheck %s --check-prefix=STAGE
// RUN: not geniec %s --run-pass=nothing 2>&1 | FileCheck %s --check-prefix=PASS
// RUN: not geniec %s --dump-after=nothing 2>&1 | FileCheck %s --check-prefix=NODUMP
// RUN: cp %s %t.mlir && not geniec %t.mlir -o %t.mlir 2>&1 | FileCheck %s --check-prefix=SAME && cmp %s %t.mlir
// RUN: not geniec %s --entry=a=%s --entry=a=%s 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not geniec %s --emit=genie -o %t/missing/x.mlir 2>&1 | FileCheck %s --check-prefix=OUTPUT
// RUN: geniec %s -o %t.gplan -MD && FileCheck %s --check-prefix=DEPFILE < %t.gplan.d
// RUN: geniec --version | FileCheck %s --check-prefix=VERSION

// CHECK: genie.relu
// FUSED: genie.kernel "pointwise"
// DUMP: // after import
// DUMP: genie.relu
// STAGE: --emit=nothing: give one of import, canonicalise
// PASS: --run-pass: there is no pass 'nothing'
// NODUMP: --dump-after=nothing: there is no such pass or phase
// SAME: .mlir: is the input; the output needs another name
// ENTRY: would be the same entry
// OUTPUT: missing/x.mlir: cannot be written
// DEPFILE: .gplan: {{.*}}driver.mlir
// VERSION: geniec {{[0-9.]+}} (git {{.*}}), plan format 1.
func.func @main(%x: tensor<2x3xf32> {genie.input = "x"}) -> (tensor<2x3xf32> {genie.output = "y"}) {
  %0 = genie.relu %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
