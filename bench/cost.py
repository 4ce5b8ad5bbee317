"""How well the cost model predicts: the time of each model beside what `geniec --explain` said before it ran.

    ./x bench cost [--case bert,...] [--keep [LABEL]] [--json]

One core, one thread. `genie pool measure` describes the core to the compiler first; then every model is compiled with that
description, and run. The target is 25 % either way; the exit status is 1 when a model misses it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import safetensors.torch
import torch

import cases
import genie
import remote_cases
from cpu import machine
from genie import toolchain

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GENIE_BUILD", HERE.parent / "build" / "release"))
POOL = {"version": 1, "nodes": [{"name": "local", "devices": [{"name": "cpu0", "kind": "cpu"}]}]}
NAMES = [*cases.CASES, "minilm"]
ALLOWED = 1.25


def on_one_core(command):
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(["taskset", "-c", str(core), *map(os.fspath, command)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"cost.py: {done.stderr.strip()[-500:]}")
    return done.stdout


def prepare(name, folder):
    archive, tensors = folder / f"{name}.pt2", folder / f"{name}.safetensors"
    module, inputs = remote_cases.make(name) if name == "minilm" else cases.make(name)
    genie.export(module, inputs, path=archive)
    return archive, tensors, inputs


def measure(name, folder, pool):
    archive, tensors, inputs = prepare(name, folder)
    plan = folder / f"{name}.gplan"
    explained = json.loads(on_one_core([toolchain.geniec(), archive, "--pool", pool, "--explain", "--json", "-o", plan]))["explain"]
    safetensors.torch.save_file(dict(zip([info.name for info in genie.Model(plan).inputs()], inputs)), tensors)
    ran = json.loads(on_one_core([toolchain.find("bin/genie"), "bench", plan, "--threads", "1", "--inputs", tensors, "--seconds", "2", "--json"]))
    for path in (archive, plan, tensors):
        path.unlink()
    predicted = sum(place["predicted_ms"] for place in explained["places"])
    return {"case": name, "predicted_ms": predicted, "measured_ms": ran["median_ms"], "ratio": predicted / ran["median_ms"]}


def is_close(row):
    return 1 / ALLOWED <= row["ratio"] <= ALLOWED


def report(result):
    device = result["device"]
    rate = device["flops_per_s"]["f32"] / 1e9
    lines = [f"one core: {rate:.0f} GF/s f32, {device['memory_bytes_per_s'] / 1e9:.1f} GB/s, {device.get('launch_ns', 0):.0f} ns a launch, as measured before"]
    for row in result["cases"]:
        lines.append(f"{row['case']:<14}{row['predicted_ms']:>10.3f} ms predicted{row['measured_ms']:>10.3f} ms measured   {row['ratio']:.2f}{'' if is_close(row) else '  MISSES 25 %'}")
    return "\n".join(lines)


def keep(result, label):
    about = result["about"]
    path = HERE / "results" / f"{about['date'][:10]}-{label}"
    head = f"# Cost benchmark, {about['date']}, commit {about['commit']}\n\n{about['cpu']}; load before the run {about['load_before']:.1f}.\n\n"
    path.with_suffix(".md").write_text(head + "\n".join(f"    {line}" for line in report(result).splitlines()) + "\n")
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    return path


def main(arguments):
    parser = argparse.ArgumentParser(prog="./x bench cost", description=__doc__.split("\n")[0])
    parser.add_argument("--case", type=lambda text: text.split(","), default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--keep", metavar="LABEL", nargs="?", const="cost", help="write bench/results/DATE-LABEL.md and .json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    folder = BUILD / "bench-cost"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    pool = folder / "pool.json"
    pool.write_text(json.dumps(POOL))
    result = {"about": machine()}
    on_one_core([toolchain.find("bin/genie"), "pool", "measure", "--pool", pool, "--no-links"])
    result["device"] = json.loads(pool.read_text())["nodes"][0]["devices"][0]
    result["cases"] = [measure(name, folder, pool) for name in options.case]
    print(json.dumps(result, indent=1) if options.json else report(result))
    if options.keep:
        print(f"kept as {keep(result, options.keep)}.md and .json", file=sys.stderr)
    return 0 if all(is_close(row) for row in result["cases"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
