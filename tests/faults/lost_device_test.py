"""A node whose GPU ends with a fault: sessions on it are told, others go on, and then the node starts again by itself.

The GPU is that of runtime/device/cuda/fake_cuda.h, whose context ends when a file appears beside the driver.
"""

import pathlib
import shutil
import signal
import socket
import subprocess
import time

import nodes
import pytest
import small_plans
from genie import toolchain

ON_GPU = ("--place", "local:cuda0=node1:cuda0")
ON_CPU = ("--place", "local:cpu0=node1:cpu0")
STATIC = ("--entry", "static", "--input", "x=2x3xf32=0.5")
OPTIONS = ("--devices", "cpu0,cuda0", "--threads", "1", "--log-format", "json")


@pytest.fixture
def driver(tmp_path, monkeypatch):
    folder = tmp_path / "driver"
    folder.mkdir()
    shutil.copy(toolchain.find("fake_cuda/libcuda.so.1"), folder / "libcuda.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    return folder


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The service manager's socket."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


@pytest.fixture
def pool(driver, manager, tmp_path):
    with nodes.Pool(["node1"], tmp_path / "pool", options=OPTIONS) as pool:
        yield pool


@pytest.fixture
def gpu_plan(tmp_path):
    path = tmp_path / "sample.gplan"
    subprocess.run([toolchain.find("bin/write_sample_plan"), path, "sm_70"], check=True)
    return path


def server_of(node):
    """The process that serves: the keeper's child."""
    pid = node.process.pid
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


def start_bench(pool, plan, *arguments, seconds):
    command = pool.command("bench", plan, *arguments, "--seconds", str(seconds))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_node_that_lost_its_gpu_starts_again_without_harm_to_others(pool, driver, manager, gpu_plan, geniec, tmp_path):
    node, first = pool["node1"], server_of(pool["node1"])
    assert manager.recv(100) == b"READY=1"
    on_cpu = start_bench(pool, small_plans.compile_plan(geniec, tmp_path), *ON_CPU, *small_plans.inputs(), seconds=5)
    on_gpu = start_bench(pool, gpu_plan, *ON_GPU, *STATIC, seconds=30)
    wait_until(lambda: node.log().count("places, ") == 2)
    begin = time.monotonic()
    (driver / "fault").touch()
    _, error = on_gpu.communicate(timeout=20)
    assert on_gpu.returncode == 1 and time.monotonic() - begin < 3.0, error
    assert "node1" in error and "cuda0" in error and "beyond repair" in error and error.count("genie bench: ") == 1, error
    # While others compute, the node stays as it is, and refuses what needs the GPU.
    done = pool.genie("run", gpu_plan, *ON_GPU, *STATIC)
    assert done.returncode == 1 and "cuda0 was lost" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "cuda0(lost)" in pool.genie("pool", "status").stdout
    assert server_of(node) == first
    assert on_cpu.wait(timeout=60) == 0, on_cpu.stderr.read()
    # Nobody is left: another process serves, at the same address, and has a sound GPU.
    wait_until(lambda: node.log().count('listens on') == 2)
    assert server_of(node) != first and manager.recv(100) == b"READY=1"
    done = pool.genie("run", gpu_plan, *ON_GPU, *STATIC)
    assert done.returncode == 0, done.stderr
    assert node.end() == 0
    assert manager.recv(100) == b"STOPPING=1"


def test_a_kept_node_ends_as_any_other(pool):
    node, server = pool["node1"], server_of(pool["node1"])
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(timeout=20) == 0 and '"stopped"' in node.log()
    node.start()
    server = server_of(node)
    node.kill()
    wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists() or pathlib.Path(f"/proc/{server}/stat").read_text().split()[2] == "Z")
