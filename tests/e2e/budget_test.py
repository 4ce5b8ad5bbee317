"""What a run may cost beside its own work: memory beyond what the plan states, time from process start to first result."""

import json
import re
import resource
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


def write_chain(folder, layers):
    """Text of `layers` products, each with a weight of its own, and the file that they lie in."""
    square = "tensor<4x4xf32>"
    weights = [f'genie.weight @w{i} {{file = "{folder}/w.bin", offset = {64 * i} : i64, strides = array<i64: 4, 1>}} : {square}' for i in range(layers)]
    arguments = ", ".join(f"%w{i}: {square} {{genie.weight = @w{i}}}" for i in range(layers))
    ops = [f"  %{i + 1} = genie.linear %{i}, %w{i} : ({square}, {square}) -> {square}" for i in range(layers)]
    head = f'func.func @main(%x: {square} {{genie.input = "x"}}, {arguments}) -> ({square} {{genie.output = "y"}}) {{\n  %0 = genie.neg %x : ({square}) -> {square}'
    (folder / "w.bin").write_bytes(bytes(64 * layers))
    path = folder / f"chain{layers}.mlir"
    path.write_text("\n".join([*weights, head, *ops, f"  return %{layers} : {square}", "}", ""]))
    return path


def cpu_seconds(geniec, source):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = geniec(source, "-o", source.with_suffix(".gplan"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime - before.ru_utime


def test_the_compile_time_grows_with_the_weights_and_not_their_square(geniec, tmp_path):
    short, long = write_chain(tmp_path, 300), write_chain(tmp_path, 2400)
    assert cpu_seconds(geniec, long) < 16 * cpu_seconds(geniec, short)
