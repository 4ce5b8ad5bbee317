"""Runs a recommender whose tables fit no single node on two of them.

usage: tables.py [FOLDER]     the archive, the plan and the daemons' files go there (build/recommender)

The model of recommender.py is not changed for it. Starts two `genied` on this machine, lets `geniec` put tables where memory is
and the dense parts where they are done soonest, and compares the answers with PyTorch's.
"""

import json
import pathlib
import subprocess
import sys

import torch

import genie
import nodes
import recommender
from genie import toolchain

# What the nodes can do, with less memory than the tables need together. `genie pool measure` would fill in the rates; an
# example says them, so that it prints the same everywhere.
DEVICE = {"flops_per_s": {"f32": 1e11}, "memory_bytes_per_s": 2e10, "launch_ns": 1000, "memory_bytes": 14_000_000}
LINK = {"bytes_per_s": 1e9, "latency_ns": 20000}


def explain(archive, plan, description):
    command = [toolchain.geniec(), archive, "--pool", description, "--explain", "--json", "-o", plan]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    (entry,) = json.loads(done.stdout)["explain"]["entries"]
    for edge in entry["edges"]:
        print(f"{edge['from']} -> {edge['to']}: {edge['value']}, {edge['bytes']} bytes")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/recommender")
    folder.mkdir(parents=True, exist_ok=True)
    archive, plan = folder / "recommender.pt2", folder / "recommender.gplan"
    torch.manual_seed(0)
    model = recommender.Recommender().eval().requires_grad_(False)
    inputs = recommender.inputs()
    genie.export(model, inputs, path=archive)

    with nodes.Pool(["node1", "node2"], folder / "pool", has_namespaces=False) as pool, torch.inference_mode():
        description = pool.describe(folder / "pool.json", DEVICE, LINK)
        explain(archive, plan, description)
        session = genie.Session(genie.Model(plan), threads=1, pool=description, key=pool.key)
        ours, theirs = session.run(list(inputs))[0], model(*inputs)
        counted = all(edge["last_bytes"] == edge["planned_bytes"] > 0 for edge in session.traffic())
        del session
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"bytes counted as planned: {counted}")
    print(f"within 1e-5 of PyTorch: {difference <= 1e-5}")
    return 0 if counted and difference <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
