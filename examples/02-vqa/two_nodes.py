"""Answers a question about an image on two nodes: one reads the image, the other the question and both together.

usage: two_nodes.py [FOLDER]     the archive, the plan and the daemons' files go there (build/vqa)

The model of vqa.py is not changed for it. Starts two `genied` on this machine, compiles the model for both, asks, compares
with PyTorch, and shows what crosses between the nodes.
"""

import json
import os
import pathlib
import subprocess
import sys

import torch

import genie
import nodes
import vqa
from genie import toolchain

# By module path; the last rule that matches wins.
PLACES = ["*=node1:cpu0", "vision*=node2:cpu0", "project=node2:cpu0"]
SIZES = dict(layers=2, image=64, patch=16, width=128, heads=4, vocabulary=1000, answers=100)


def explain(archive):
    """What geniec found out about the model: its class, and what each modality is for."""
    done = subprocess.run([toolchain.find("bin/geniec"), archive, "--explain-semantics", "--json"], capture_output=True, text=True, check=True)
    (entry,) = json.loads(done.stdout)["entries"]
    found = {}
    for op in entry["ops"]:
        words = tuple(op.get(what, {}).get("word", "-") for what in ("phase", "modality"))
        found[words] = found.get(words, 0) + 1
    print(f"the model is {entry['workload']['class']}: {entry['workload']['reason']}")
    for (phase, modality), count in sorted(found.items()):
        print(f"  {phase:<8} {modality:<12} {count:>4} ops")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/vqa")
    folder.mkdir(parents=True, exist_ok=True)
    archive, plan = folder / "vqa.pt2", folder / "vqa.gplan"
    torch.manual_seed(0)
    model = vqa.make(**SIZES)
    pixels, question, mask = vqa.inputs(image=SIZES["image"], vocabulary=SIZES["vocabulary"])
    genie.export(model, (pixels, question, mask), path=archive)
    explain(archive)

    with nodes.Pool(["node1", "node2"], folder / "pool", has_namespaces=False) as pool, torch.inference_mode():
        rules = [argument for rule in PLACES for argument in ("--place", rule)]
        toolchain.compile_archive(archive, plan, ["--pool", pool.path, *rules])
        session = genie.Session(genie.Model(plan), threads=len(os.sched_getaffinity(0)), pool=pool.path, key=pool.key)
        ours, theirs = session.run([pixels, question, mask])[0], model(pixels, question, mask)
        traffic = pool.genie("verify", plan, "--run")
        del session
    if traffic.returncode != 0:
        raise SystemExit(traffic.stderr)
    print(*(line for line in traffic.stdout.splitlines() if line.startswith("main: ")), sep="\n")
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"the answer is number {ours.argmax().item()}, as PyTorch's: {ours.argmax().item() == theirs.argmax().item()}")
    print(f"within 1e-5 of PyTorch: {difference <= 1e-5}")
    return 0 if difference <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
