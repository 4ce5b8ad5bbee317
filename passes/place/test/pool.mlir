// RUN: echo '{"version": 1, "nodes": [{"name": "a", "address": "10.0.0.1:7447", "devices": [{"name": "cpu0", "kind": "cpu", "flops_per_s": {"f32": 1e11}, "memory_bytes_per_s": 2e10}]}, {"name": "b", "address": "10.0.0.2:7447", "devices": [{"name": "cpu0", "kind": "cpu"}]}], "links": [{"from": "b", "to": "a", "bytes_per_s": 1e9, "latency_ns": 2e4}]}' > %t.json
// RUN: geniec %s --pool %t.json --run-pass=place,drop-places | FileCheck --check-prefix=FIRST %s
// RUN: geniec %s --pool %t.json --place 'm=b:cpu0' --run-pass=place | FileCheck --check-prefix=BOTH %s
// RUN: geniec %s --pool %t.json --place 'm=b:cpu0' --run-pass=place,drop-places | FileCheck --check-prefix=SECOND %s
// RUN: not geniec %s --pool %t.json --place 'm=c:cpu0' --run-pass=place 2>&1 | FileCheck --check-prefix=NONE %s
// Without a rule all is on the pool's first device. Figures and links of the pool go into the module; a place that gets
// nothing is left out, and its links with it.

// FIRST: genie.places = [{flops = {f32 = 1.000000e+11 : f64}, kind = "cpu", memory_bytes_per_s = 2.000000e+10 : f64, name = "a:cpu0"}]
// BOTH: genie.links = [{bytes_per_s = 1.000000e+09 : f64, from = 1 : i64, latency_ns = 2.000000e+04 : f64, to = 0 : i64}]
// BOTH: name = "a:cpu0"}, {kind = "cpu", name = "b:cpu0"}]
// SECOND: genie.links = []
// SECOND: genie.places = [{kind = "cpu", name = "b:cpu0"}]
// SECOND: genie.relu {{.*}}genie.place = 0
// NONE: --place=m=c:cpu0: {{.*}}'c'
func.func @main(%x: tensor<4xf32> {genie.input = "x"}) -> (tensor<4xf32> {genie.output = "y"}) {
  %0 = genie.relu %x {genie.module = "m:M"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
