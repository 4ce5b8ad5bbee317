"""What an idle genied costs: its size, how fast it is ready, its memory and its CPU time.

    ./x bench daemon [--seconds N] [--keep [LABEL]] [--json]

Figures are held against the budgets; the exit status is 1 when one is missed.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nodes
import record
from cpu import machine

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GENIE_BUILD", HERE.parent / "build" / "release"))
# What is measured: (budget, unit, what it is)
BUDGETS = {
    "stripped_mb": (3.0, "MB", "stripped binary, our libraries inside"),
    "ready_ms": (50.0, "ms", "from start to listening, median of 15"),
    "resident_mb": (20.0, "MB", "resident with the CPU device and no plan"),
    "idle_cpu_percent": (0.1, "%", "of a core, while nothing happens"),
}


def stripped_bytes(folder):
    path = folder / "genied"
    subprocess.run(["strip", "-o", path, BUILD / "bin" / "genied"], check=True)
    return path.stat().st_size


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder, seconds):
    with nodes.Pool(["node1"], folder / "pool", build=BUILD, has_namespaces=False) as pool:
        node, ready = pool["node1"], []
        for _ in range(15):
            node.end()
            node.start()
            ready.append(node.ready_seconds)
        time.sleep(0.2)
        before = cpu_seconds(node.process.pid)
        time.sleep(seconds)
        used = cpu_seconds(node.process.pid) - before
        resident = node.status("VmRSS")
        node.end()
    return {
        "stripped_mb": stripped_bytes(folder) / 1e6,
        "ready_ms": 1e3 * statistics.median(ready),
        "resident_mb": resident * 1024 / 1e6,
        "idle_cpu_percent": 100 * used / seconds,
    }


def report(figures):
    lines = []
    for name, (budget, unit, what) in BUDGETS.items():
        verdict = "" if figures[name] <= budget else "  MISSED"
        lines.append(f"{figures[name]:8.2f} {unit:<3} of {budget:g}   {what}{verdict}")
    return "\n".join(lines)


def main(arguments):
    parser = argparse.ArgumentParser(prog="./x bench daemon", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of idleness (default 10)")
    record.add_options(parser, "daemon")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = {"about": machine(), "figures": measure(pathlib.Path(folder), options.seconds)}
    figures = result["figures"]
    record.finish(options, result, "An idle genied", report(figures), record.literal(report(figures)))
    return 0 if all(figures[name] <= budget for name, (budget, _, _) in BUDGETS.items()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
