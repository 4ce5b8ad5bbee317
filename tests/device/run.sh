#!/bin/sh
# Tests and measures Genie on this machine's GPU: run.sh [STEP...], from anywhere in the repository, with what prepare.sh
# packed beside it (GENIE_DEVICE_BUNDLE; default build/device.tar.xz). Steps: device sanitizer models bench bandwidth; default:
# all but bandwidth.
#
# Needs Python with PyTorch, transformers, timm and pytest; takes under ten minutes. The last lines are a table of the
# figures; files go to GENIE_DEVICE_OUTPUT (default build/device-results).
cd "$(dirname "$0")/../.." || exit 1
bundle=${GENIE_DEVICE_BUNDLE:-build/device.tar.xz}
results=${GENIE_DEVICE_OUTPUT:-build/device-results}
steps=${*:-device sanitizer models bench}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
tar -xJf "$bundle" -C "$home" || exit 1
mkdir -p "$results"
export GENIE_HOME="$home" PYTHONPATH="$PWD/python:$PWD/bench" PYTHONUNBUFFERED=1 GENIE_CACHE="$home/cache"
export LD_LIBRARY_PATH="$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# The libraries that PyTorch brings, unless the user names others.
if [ -z "$GENIE_LIBRARY_PATH" ]; then
  GENIE_LIBRARY_PATH=$(python3 -c 'import glob, os, nvidia
print(":".join(sorted({os.path.dirname(path) for root in nvidia.__path__ for name in ("libcublasLt.so.1*", "libcudnn.so.9")
  for path in glob.glob(os.path.join(root, "**", name), recursive=True)})))' 2> /dev/null)
  export GENIE_LIBRARY_PATH
fi
failures=0
begin=$(date +%s)

is_wanted() {
  case " $steps " in *" $1 "*) ;; *) return 1 ;; esac
}
step() {
  is_wanted "$1" && echo "== $1, $(($(date +%s) - begin)) s"
}
attempt() {
  "$@" || { failures=$((failures + 1)); echo "FAILED: $*"; }
}
quietly() {  # the lines of a test program that matter
  log="$results/$(basename "$1").log"
  timeout 150 "$@" > "$log" 2>&1
  status=$?
  grep -v -e '\[ RUN ' -e '\[       OK' "$log"
  return $status
}
run_pytest() {  # the name of its log, then arguments
  log="$results/$1.log"
  shift
  attempt timeout 400 python3 -m pytest -q --target "${GENIE_DEVICE_TARGET:-cuda:sm_90}" --tb=line "$@" > "$log" 2>&1
  grep -e '^FAILED' -e '^ERROR' -e '^E  ' -e ' passed' -e ' failed' "$log" | cut -c1-220 | tail -60
}

# Plans, and what PyTorch compiles, are made while tests run; times are measured when nothing else runs.
measuring=
prepare_bench() {
  python3 bench/gpu/bench.py --jobs "${GENIE_DEVICE_BENCH_JOBS:-5}" --start-when "$home/quiet" --predict \
    ${GENIE_DEVICE_BENCH:-} --json "$results/bench.json" > "$results/bench.log" 2>&1 &
  measuring=$!
  # Its first line is what it measured of the GPU alone.
  while kill -0 "$measuring" 2> /dev/null && [ ! -s "$results/bench.log" ]; do sleep 0.2; done
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
if step device; then
  attempt quietly "$home/bin/device_test"
  attempt quietly "$home/bin/cuda_device_test" libcuda.so.1
  attempt quietly "$home/bin/cuda_session_test"
  attempt quietly "$home/bin/shared_memory_test"
  attempt quietly "$home/bin/library_test" "$GENIE_LIBRARY_PATH"
  run_pytest device tests/device
fi
is_wanted bench && prepare_bench
if step sanitizer; then
  attempt timeout 100 compute-sanitizer --error-exitcode 9 "$home/bin/cuda_session_test" > "$results/sanitizer.log" 2>&1
  tail -1 "$results/sanitizer.log"
  attempt timeout 200 python3 tests/device/sanitize.py
fi
if step models; then
  run_pytest models -n "${GENIE_DEVICE_JOBS:-10}" tests/conformance/ops_test.py tests/e2e/zoo_test.py tests/e2e/decode_test.py \
    ${GENIE_DEVICE_PYTEST:-} -k "not minilm"
fi
if step bench; then
  touch "$home/quiet"
  attempt "$home/bin/launch_bench"
  attempt wait "$measuring"
  grep -e '^|' -e ' PyTorch ' -e failed "$results/bench.log" | cut -c1-240
fi
if step bandwidth; then
  timeout 200 python3 bench/gpu/bandwidth.py --json "$results/bandwidth.json" 2> "$results/bandwidth.log"
fi
echo "$failures steps failed"
[ "$failures" = 0 ]
