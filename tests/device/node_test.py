"""A node whose device is a GPU: plans run on it behind the filter of system calls.

    pytest tests/device/node_test.py                         on the driver of fake_cuda.h, with a plan of its kernels
    pytest --target cuda:sm_90 tests/device/node_test.py     on this machine's GPU; GENIE_LIBRARY_PATH names vendor libraries
"""

import os
import pathlib
import subprocess

import numpy
import pytest
import safetensors.numpy

import nodes
import small_plans
from genie import toolchain

ON_GPU = ("--place", "local:cuda0=node1:cuda0")
ROUNDS = 3


def processes(root):
    """The process and its children."""
    found = [root]
    for pid in found:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found += map(int, children)
    return found


@pytest.fixture
def target(request):
    return request.config.getoption("--target")


@pytest.fixture
def driver(target, monkeypatch):
    """The folder of the driver in use, or None for the machine's own."""
    if target:
        return None
    folder = pathlib.Path(toolchain.find("fake_cuda"))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    return folder


@pytest.fixture
def plan(target, driver, geniec, tmp_path):
    if target:
        return small_plans.compile_plan(geniec, tmp_path, target=target)
    path = tmp_path / "sample.gplan"
    subprocess.run([toolchain.find("bin/write_sample_plan"), path, "sm_70"], check=True)
    return path


@pytest.fixture
def pool(driver, tmp_path):
    options = ["--devices", "cuda0", "--threads", "1"]
    if os.environ.get("GENIE_LIBRARY_PATH"):
        options += ["--library-path", os.environ["GENIE_LIBRARY_PATH"]]
    with nodes.Pool(["node1"], tmp_path / "pool", options=options, has_namespaces=False) as pool:
        yield pool


def arguments(target):
    return small_plans.inputs() if target else ("--entry", "static", "--input", "x=2x3xf32=0.5")


def expected(target, geniec, folder):
    """What the plan gives for these inputs, by a CPU."""
    if not target:
        return numpy.array([[3, 5, 7], [9, 11, 13]], numpy.float32)
    on_cpu = folder / "cpu"
    on_cpu.mkdir()
    (on_cpu / f"weights{small_plans.SIZE}").symlink_to(folder / f"weights{small_plans.SIZE}")
    plan, out = small_plans.compile_plan(geniec, on_cpu, target="host"), on_cpu / "out.safetensors"
    subprocess.run([toolchain.find("bin/genie"), "run", plan, *small_plans.inputs(), "--outputs", out], check=True)
    return safetensors.numpy.load_file(out)["y"]


def test_a_filtered_node_runs_plans_on_its_gpu(pool, plan, target, geniec, tmp_path):
    node, out = pool["node1"], tmp_path / "out.safetensors"
    if "not filtered" in node.log():
        pytest.skip("built with a sanitizer")
    filtered = [pid for pid in processes(node.process.pid) if "Seccomp:\t2" in pathlib.Path(f"/proc/{pid}/status").read_text()]
    assert len(filtered) == 1, "no process of the node is filtered"
    wanted = expected(target, geniec, tmp_path)
    for _ in range(ROUNDS):
        done = pool.genie("run", plan, *ON_GPU, *arguments(target), "--outputs", out)
        assert done.returncode == 0, done.stderr + node.log()
        numpy.testing.assert_allclose(safetensors.numpy.load_file(out)["y"], wanted, rtol=1e-3)
    assert node.process.poll() is None, f"a system call ended the node: {node.process.returncode}"
    assert node.end() == 0, node.log()
