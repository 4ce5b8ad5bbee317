"""What consecutive calls gain where a session has several places on one node: three equal products on one device, and on three.

    ./x bench pipeline [--calls N] [--keep [LABEL]] [--json]

Each place has one thread. With calls in flight, the next call starts at the first place while others are at later ones; how many
can run at a time is bounded by the CPUs that the client and the node share.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import nodes
import record
from cpu import machine
from genie import toolchain

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GENIE_BUILD", HERE.parent / "build" / "release"))
SIZE = 1024
WEIGHT = "tensor<{0}x{0}xf32>".format(SIZE)
ROWS = f"tensor<16x{SIZE}xf32>"
ROUNDS = 3


def write_model(folder):
    weights, text = folder / "weights", folder / "three.mlir"
    weights.write_bytes(bytes(3 * SIZE * SIZE * 4))
    lines = [
        f'genie.weight @w{i} {{file = "{weights}", offset = {i * SIZE * SIZE * 4} : i64, strides = array<i64: {SIZE}, 1>}} : {WEIGHT}'
        for i in range(3)
    ]
    arguments = ", ".join([f'%x: {ROWS} {{genie.input = "x"}}', *(f"%w{i}: {WEIGHT} {{genie.weight = @w{i}}}" for i in range(3))])
    lines.append(f'func.func @main({arguments}) -> ({ROWS} {{genie.output = "y"}}) {{')
    for i, operand in enumerate(("%x", "%0", "%1")):
        lines.append(f'  %{i} = genie.linear {operand}, %w{i} {{genie.module = "{i}:S"}} : ({ROWS}, {WEIGHT}) -> {ROWS}')
    text.write_text("\n".join([*lines, f"  return %2 : {ROWS}", "}", ""]))
    return text


def compile_plan(folder, pool, text, devices):
    plan = folder / f"{'-'.join(devices)}.gplan"
    rules = [argument for i, device in enumerate(devices) for argument in ("--place", f"{i}=node1:{device}")]
    subprocess.run([toolchain.geniec(), text, "-o", plan, "--pool", pool.path, *rules], check=True)
    return plan


def rate(pool, plan, calls):
    command = [pool.program("remote_driver"), plan, pool.path, pool.key, "-", "rate", str(calls)]
    return json.loads(subprocess.run(pool.client.command(command), check=True, capture_output=True, text=True).stdout)


def measure(folder, calls):
    """{case: {"runs_per_s": ..., "submissions_per_s": ...}}, the best of ROUNDS, interleaved"""
    cases = {"one place": ("cpu0", "cpu0", "cpu0"), "three places": ("cpu0", "cpu1", "cpu2")}
    best = {}
    with nodes.Pool(["node1"], folder / "pool", ("--threads", "1", "--devices", "cpu0,cpu1,cpu2"), build=BUILD, has_namespaces=False) as pool:
        text = write_model(folder)
        plans = {case: compile_plan(folder, pool, text, devices) for case, devices in cases.items()}
        for _ in range(ROUNDS):
            for case, plan in plans.items():
                found = rate(pool, plan, calls)
                best[case] = {key: max(value, best.get(case, {}).get(key, 0)) for key, value in found.items()}
    return best


def table(rates):
    lines = ["| on one node | calls/s, one after the other | calls/s, in flight |", "|---|---|---|"]
    for case, row in rates.items():
        lines.append(f"| {case} | {row['runs_per_s']:.0f} | {row['submissions_per_s']:.0f} |")
    gain = rates["three places"]["submissions_per_s"] / rates["one place"]["submissions_per_s"]
    return "\n".join([*lines, "", f"In flight, three places do {gain:.2f} times the calls of one place with one thread; {os.cpu_count()} CPUs."])


def main(arguments):
    parser = argparse.ArgumentParser(prog="./x bench pipeline", description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=400, help="of each measurement (default 400)")
    record.add_options(parser, "pipeline")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = {"about": machine(), "rates": measure(pathlib.Path(folder), options.calls)}
    text = table(result["rates"])
    record.finish(options, result, "Places of one node", text, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
