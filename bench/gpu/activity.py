"""What a GPU did while a function ran: each kernel and copy by CUPTI, also inside of graphs."""

import json
import os
import statistics
import tempfile

import torch
from torch.profiler import ProfilerActivity, profile

_KINDS = ("kernel", "gpu_memcpy", "gpu_memset")


def record(function, runs=10):
    """Activities in order of time: {"name", "kind", "begin_us", "us", "grid", "block", "registers", "shared_bytes"}."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(runs):
            function()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        profiler.export_chrome_trace(path)
        with open(path) as file:
            events = json.load(file)["traceEvents"]
    found = []
    for event in events:
        if event.get("cat") in _KINDS:
            arguments = event.get("args", {})
            found.append(
                {
                    "name": event["name"],
                    "kind": event["cat"],
                    "begin_us": event["ts"],
                    "us": event["dur"],
                    "grid": arguments.get("grid", [0])[0],
                    "block": arguments.get("block", [0])[0],
                    "registers": arguments.get("registers per thread", 0),
                    "shared_bytes": arguments.get("shared memory", 0),
                }
            )
    return sorted(found, key=lambda row: row["begin_us"])


def warm():
    """CUPTI knows the kernels of graphs that are made after it started."""
    record(lambda: torch.zeros(1, device="cuda"), 1)


def steps(activities, runs):
    """One row a kernel of a run, in order: its median time, and the median pause before it."""
    count = len(activities) // runs
    if count == 0 or count * runs != len(activities):
        return []
    rows = []
    for i in range(count):
        same = [activities[run * count + i] for run in range(runs)]
        before = [activities[run * count + i - 1] for run in range(runs)] if i > 0 else []
        pauses = [b["begin_us"] - a["begin_us"] - a["us"] for a, b in zip(before, same)]
        row = {key: same[0][key] for key in ("name", "grid", "block", "registers", "shared_bytes")}
        row["us"] = round(statistics.median(x["us"] for x in same), 2)
        row["pause_us"] = round(statistics.median(pauses), 2) if pauses else 0
        rows.append(row)
    return rows


def summary(rows, most=16):
    """[name, launches, us of all, pauses before them], longest first."""
    total = {}
    for row in rows:
        entry = total.setdefault(f"{row['name']} <{row['grid']}x{row['block']}>", [0, 0.0, 0.0])
        entry[0] += 1
        entry[1] += row["us"]
        entry[2] += row["pause_us"]
    ordered = sorted(total.items(), key=lambda item: -item[1][1])
    return [[name, count, round(us, 2), round(pause, 2)] for name, (count, us, pause) in ordered[:most]]
