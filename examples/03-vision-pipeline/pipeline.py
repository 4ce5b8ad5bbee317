"""Runs a residual network as a pipeline over two nodes: while one looks at an image, the other has the image before it.

usage: pipeline.py [FOLDER]     the archive, the plan and the daemons' files go there (build/pipeline)

The model of resnet.py is not changed for it. Starts two `genied` on this machine, lets `geniec` divide the model so that a
stream of images flows fastest, keeps several in flight, and compares every answer with PyTorch's.
"""

import json
import os
import pathlib
import subprocess
import sys

import torch

import genie
import nodes
import resnet
from genie import toolchain

IMAGES, IN_FLIGHT = 12, 4
# What the nodes can do. `genie pool measure` would fill it in; an example says it, so that it prints the same everywhere.
DEVICE = {"flops_per_s": {"f32": 1e10}, "memory_bytes_per_s": 2e10, "launch_ns": 1000}
LINK = {"bytes_per_s": 1e9, "latency_ns": 20000}


def explain(archive, plan, description):
    """Compiles for a stream of images, and says what runs where and what crosses."""
    command = [toolchain.geniec(), archive, "--pool", description, "--objective", "throughput", "--explain", "--json", "-o", plan]
    explained = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["explain"]
    whole = sum(place["predicted_ms"] for place in explained["places"])
    for place in explained["places"]:
        print(f"{place['name']}: {place['kernels']} kernels, {100 * place['predicted_ms'] / whole:.0f} % of the work")
    (entry,) = explained["entries"]
    for edge in entry["edges"]:
        print(f"  {edge['from']} -> {edge['to']}: {edge['value']}, {edge['bytes']} bytes an image")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/pipeline")
    folder.mkdir(parents=True, exist_ok=True)
    archive, plan = folder / "resnet.pt2", folder / "resnet.gplan"
    torch.manual_seed(0)
    model = resnet.ResNet().eval().requires_grad_(False)
    images = [torch.randn(1, 3, 32, 32) for _ in range(IMAGES)]
    genie.export(model, (images[0],), path=archive)

    worst, flight = 0.0, []
    with nodes.Pool(["node1", "node2"], folder / "pool", has_namespaces=False) as pool, torch.inference_mode():
        description = pool.describe(folder / "pool.json", DEVICE, LINK)
        explain(archive, plan, description)
        session = genie.Session(genie.Model(plan), threads=1, pool=description, key=pool.key)
        for image in images:
            flight.append((image, session.submit([image])))
            if len(flight) == IN_FLIGHT or image is images[-1]:
                for shown, submission in flight:
                    expected = model(shown)
                    worst = max(worst, ((submission.wait()[0] - expected).abs().max() / expected.abs().max()).item())
                flight = []
        counted = all(edge["last_bytes"] == edge["planned_bytes"] > 0 for edge in session.traffic())
        del session
    print(f"{len(images)} images, {IN_FLIGHT} in flight; bytes counted as planned: {counted}")
    print(f"within 1e-5 of PyTorch: {worst <= 1e-5}")
    return 0 if counted and worst <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
