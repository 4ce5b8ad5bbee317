"""What the compiler's micro-batches save: one call of a batch on two nodes, whole and split.

    ./x bench micro_batches [--batch N] [--gbit G] [--rounds N] [--calls N] [--keep [LABEL]] [--json]

ResNet-50. The client and two daemons of one core each are machines of their own (network namespaces on a switch with shaped
links); `genie pool measure` describes them. Compared are one node alone, the placement of one whole call
(`--micro-batches 1`), and what `geniec` chooses, for latency. Ways take turns; times are medians of one call, "predicted" is
the cost model's. Outputs are compared with those of one process; the exit status is 1 when they differ.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

import safetensors.torch
import torch

import cases
import genie
import nodes
import semantics
from cpu import machine
from genie import toolchain

WAYS = {"one node": ("--objective", "none"), "whole": ("--micro-batches", "1"), "chosen": ()}
TOLERANCE = 1e-5


def prepare(batch, folder):
    archive, tensors = folder / "resnet50.pt2", folder / "inputs.safetensors"
    torch.manual_seed(0)
    module, (image,) = cases.make("resnet50")
    inputs = (torch.randn(batch, *image.shape[1:]),)
    genie.export(module, inputs, path=archive)
    plan = folder / "names.gplan"
    toolchain.compile_archive(archive, plan)
    safetensors.torch.save_file(dict(zip([info.name for info in genie.Model(plan).inputs()], inputs)), tensors)
    plan.unlink()
    return archive, tensors


def compile_way(archive, pool, options, folder, name):
    """The plan, the number of micro-batches, and what one call is predicted to take."""
    plan = folder / f"{name.replace(' ', '-')}.gplan"
    command = [toolchain.find("bin/geniec"), archive, "--pool", pool.path, *options]
    subprocess.run([*command, "-o", plan], check=True)
    placed = subprocess.run([*command, "--emit=place"], capture_output=True, text=True, check=True).stdout
    count = re.search(r"genie.micro_batches = \{count = (\d+)", placed)
    latency = re.search(r"latency_ns = (\d+) : i64, traffic_bytes", placed)
    return plan, int(count.group(1)) if count else 1, int(latency.group(1)) / 1e6 if latency else None


def measure(options, folder):
    folder.mkdir(parents=True, exist_ok=True)
    archive, tensors = prepare(options.batch, folder)
    rows, clients = {}, {}
    with nodes.Pool(["node1", "node2"], folder / "pool", options=["--threads", "1"], build=semantics.BUILD) as pool:
        for index, node in enumerate(pool.nodes.values()):
            semantics.pin(node.process.pid, index)
        for box in [pool.client, *(node.machine for node in pool.nodes.values())]:
            box.shape(options.gbit)
        described = semantics.describe_pool(pool)
        semantics.local_figures(pool, archive, tensors, folder, "calls", 1)
        for name, extra in WAYS.items():
            plan, count, predicted = compile_way(archive, pool, extra, folder, name)
            rows[name] = {"micro_batches": count, "predicted_ms": predicted}
            clients[name] = semantics.Client(pool, plan, tensors, folder / f"{plan.stem}.safetensors", "calls", options.gbit)
        turns = [{name: semantics.measure_mode(client, pool, options.calls) for name, client in clients.items()} for _ in range(options.rounds)]
        for name, client in clients.items():
            client.close()
            rows[name]["ms"] = statistics.median(turn[name]["milliseconds"] for turn in turns)
            rows[name]["difference"] = semantics.differs(safetensors.torch.load_file(client.outputs), folder / "expected.safetensors")
    return {"batch": options.batch, "gbit_per_s": options.gbit, "pool": described, "ways": rows}


def report(result):
    lines = [f"ResNet-50, batch {result['batch']}, {result['gbit_per_s']:g} Gb/s", f"    {semantics.declared_ratio(result['pool'])}"]
    lines.append("    way         micro-batches   ms a call   predicted   difference")
    for name, row in result["ways"].items():
        predicted = "-" if row["predicted_ms"] is None else f"{row['predicted_ms']:.1f}"
        lines.append(f"    {name:<12}{row['micro_batches']:>13}{row['ms']:>12.1f}{predicted:>12}{row['difference']:>13.1e}")
    return "\n".join(lines)


def main(arguments):
    parser = argparse.ArgumentParser(prog="./x bench micro_batches", description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=16, help="images of a call (default 16)")
    parser.add_argument("--gbit", type=float, default=1.0, help="rate of the links (default 1)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--calls", type=int, default=3, help="calls of a turn (default 3)")
    parser.add_argument("--keep", metavar="LABEL", nargs="?", const="micro-batches", help="write bench/results/DATE-LABEL.md and .json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    result = {"about": machine()} | measure(options, semantics.BUILD / "bench-micro-batches")
    print(json.dumps(result, indent=1) if options.json else report(result))
    if options.keep:
        path = pathlib.Path(__file__).resolve().parent / "results" / f"{result['about']['date'][:10]}-{options.keep}"
        about = result["about"]
        head = f"# Micro-batches, {about['date']}, commit {about['commit']}\n\n{about['cpu']}, {about['cores']} cores; load before the run {about['load_before']:.1f}.\n\n"
        path.with_suffix(".md").write_text(head + "\n".join(f"    {line}".rstrip() for line in report(result).splitlines()) + "\n")
        path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(row["difference"] <= TOLERANCE for row in result["ways"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
