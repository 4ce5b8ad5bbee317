// RUN: not geniec %s --place 'encodr.*=local:cpu1' --run-pass=place 2>&1 | FileCheck --check-prefix=UNKNOWN %s
// RUN: not geniec %s --place 'encoder.*' --run-pass=place 2>&1 | FileCheck --check-prefix=SYNTAX %s
// RUN: not geniec %s --place 'encoder.*=somewhere' --run-pass=place 2>&1 | FileCheck --check-prefix=NAME %s
// RUN: not geniec %s --place '@split=3' --run-pass=place 2>&1 | FileCheck --check-prefix=SPLIT %s
// RUN: not geniec %s --pool %t.none --run-pass=place 2>&1 | FileCheck --check-prefix=POOL %s

// UNKNOWN: pass place: no op is of a module 'encodr.*'; the model has encoder.layer.1 decoder
// SYNTAX: --place=encoder.*: give PATTERN=NODE:DEVICE as in encoder.*=node1:cpu0
// NAME: --place=encoder.*=somewhere: place 'somewhere': give NODE:DEVICE as in node1:cpu0
// SPLIT: --place=@split=3: give @split=SEED/COUNT
// POOL: .none
func.func @main(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.relu %x {genie.module = "encoder.layer.1:Layer"} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = genie.relu %0 {genie.module = "decoder:Layer"} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
