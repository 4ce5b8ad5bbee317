// --check lists every gap in one pass, with count, place and hint, and exits with 1; a compile names the first.
// RUN: python3 %S/pack_archive.py %S/cases/gaps.json %t.pt2
// RUN: not geniec %t.pt2 --check | FileCheck %s
// RUN: not geniec %t.pt2 --check --json | FileCheck %s --check-prefix=JSON
// RUN: not geniec %t.pt2 -o %t.gplan 2>&1 | FileCheck %s --check-prefix=FIRST
// RUN: not ls %t.gplan

// CHECK: export_cases.py:{{[0-9]+}}: aten.fft_fft.default (Fourier transforms are not compiled, 1 time in :Gaps):
// CHECK: aten.nonzero.default (its result's size or value is known only when it runs
// CHECK: aten.linalg_det.default ({{.*}}, 2 times in :Gaps): export with genie.export
// JSON: "subject": "aten.linalg_det.default"
// JSON: "count": 2
// FIRST: aten.fft_fft.default: Fourier transforms are not compiled; {{.*}} (and 2 more: geniec --check lists them)
