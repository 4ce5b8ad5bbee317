"""What a GPU cannot do is told in one line, and the GPU goes on where it can; only on a machine with one.

    pytest --target cuda:sm_90 tests/device/errors_test.py
"""

import os
import subprocess
import sys
import time

import nodes
import pytest
from genie import toolchain

STATIC = ("--entry", "static", "--input", "x=2x3xf32=0.5")
ON_NODE = ("--place", "local:cuda0=node1:cuda0")
# Holds all memory of the GPU but what a context takes and a little.
HOLD = """
import sys, torch
held, size = [], 1 << 30
while size >= 1 << 20:
    try:
        held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        size //= 2
print("full", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def needs_gpu(request):
    if not request.config.getoption("--target"):
        pytest.skip("needs --target and a GPU")


@pytest.fixture
def sample(tmp_path):
    def write(features="sm_70", *more):
        path = tmp_path / f"{features}{''.join(more)}.gplan"
        subprocess.run([toolchain.find("bin/write_sample_plan"), path, features, *more], check=True)
        return path

    return write


def refused(done):
    """The one line that a failed command wrote."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_plan_for_a_later_architecture_is_named(genie_tool, sample):
    assert "sm_200" in refused(genie_tool("run", sample("sm_200"), *STATIC))


def test_too_little_memory_is_told_and_the_gpu_goes_on(genie_tool, sample):
    plan = sample()
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "full\n"
        line = refused(genie_tool("run", plan, *STATIC))
        holder.stdin.close()
        holder.wait(timeout=60)
    assert "memory" in line and "cuda0" in line, line
    assert genie_tool("run", plan, *STATIC).returncode == 0


def test_a_fault_of_a_kernel_is_told_and_another_process_goes_on(genie_tool, sample):
    line = refused(genie_tool("run", sample("sm_70", "faulty"), *STATIC))
    assert "beyond repair" in line and "illegal" in line, line
    assert genie_tool("run", sample(), *STATIC).returncode == 0


def test_a_node_whose_gpu_had_a_fault_starts_again(sample, tmp_path):
    with nodes.Pool(["node1"], tmp_path / "pool", options=["--devices", "cuda0", "--threads", "1"], has_namespaces=False) as pool:
        node, sound = pool["node1"], sample()
        assert pool.genie("run", sound, *ON_NODE, *STATIC).returncode == 0, node.log()
        line = refused(pool.genie("run", sample("sm_70", "faulty"), *ON_NODE, *STATIC))
        assert "beyond repair" in line and "node1" in line, line
        deadline = time.monotonic() + 30
        while (done := pool.genie("run", sound, *ON_NODE, *STATIC)).returncode != 0:
            assert time.monotonic() < deadline, done.stderr + node.log()
            time.sleep(0.2)


def test_a_library_that_is_nowhere_is_named(tmp_path):
    """In a process whose linker finds no library of NVIDIA's beside the driver."""
    import small_plans

    plan = small_plans.compile_plan(lambda *a: subprocess.run([toolchain.geniec(), *map(os.fspath, a)], capture_output=True, text=True, check=False), tmp_path, size=2048, target="cuda:sm_90")  # fmt: skip
    text = subprocess.run([toolchain.find("bin/genie"), "inspect", plan], capture_output=True, text=True, check=True).stdout
    if "cublaslt" not in text:
        pytest.skip("the plan calls no library")
    environment = {name: value for name, value in os.environ.items() if name != "GENIE_LIBRARY_PATH"}
    command = [toolchain.find("bin/genie"), "run", plan, *small_plans.inputs(2048)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode == 0:
        pytest.skip("this machine's linker finds cuBLASLt")
    assert "cublasLt" in refused(done)
