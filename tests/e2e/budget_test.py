"""What a run may cost beside its own work: memory beyond what the plan states, time from process start to first result."""

import json
import re
import time

import pytest

import archives

MOST_OVERHEAD_BYTES = 30_000_000
MOST_START_SECONDS = 0.150


@pytest.fixture(scope="session")
def archive():
    return archives.zoo("bert")


def test_memory_is_weights_and_planned_peak_and_little_more(genie_tool, plan_of, archive):
    done = genie_tool("bench", plan_of(archive.path), "--inputs", archive.calls[0][0], "--runs", "3", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    overhead = report["peak_memory_bytes"] - report["weight_bytes"] - report["slab_bytes"]
    assert overhead < MOST_OVERHEAD_BYTES


def start_seconds(genie_tool, plan, inputs):
    """Wall time of a whole process less that of the run itself."""
    begin = time.monotonic()
    done = genie_tool("run", plan, "--inputs", inputs, "--stats")
    wall = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    return wall - float(re.search(r"run ([\d.]+) ms", done.stderr).group(1)) / 1000


def test_the_first_result_comes_soon(genie_tool, plan_of, archive):
    plan = plan_of(archive.path)
    assert min(start_seconds(genie_tool, plan, archive.calls[0][0]) for _ in range(7)) < MOST_START_SECONDS
