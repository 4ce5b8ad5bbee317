"""Nodes that send to each other over UCX, where the pool declares their link trusted and both operators take it."""

import json
import re
import subprocess
import time
import urllib.request

import nodes
import pytest
import small_plans

TWO_NODES = ("--place", "local:cpu0=node1:cpu0", "--place", "local:cpu1=node2:cpu0")


def start(folder, *options):
    """A pool of two nodes whose link is UCX's, at addresses of 127.0.0.0/8: shared memory is a path there too."""
    pool = nodes.Pool([], folder, options=["--threads", "1", "--metrics-listen", "127.0.0.1:0", *options], has_namespaces=False)
    pool.__enter__()
    try:
        for name in ("node1", "node2"):
            pool.add(name)
    except RuntimeError as error:
        pool.__exit__()
        if "UCX" in str(error) and "built without" in str(error):
            pytest.skip(str(error))
        raise
    written = json.loads(pool.path.read_text())
    written["links"] = [{"from": "node1", "to": "node2", "carrier": "ucx", "trusted": True}]
    pool.path.write_text(json.dumps(written))
    return pool


@pytest.fixture
def plan(geniec, tmp_path):
    return small_plans.compile_plan(geniec, tmp_path, "a=local:cpu0", "b=local:cpu1")


def run(pool, plan, *arguments):
    return pool.genie("run", plan, *TWO_NODES, *small_plans.inputs(), "--output", "-", *arguments)


def paths_of(node):
    port = re.search(r"metrics on port (\d+)", node.log())[1]
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    return set(re.findall(r'genied_link_bytes_total\{[^}]*path="([^"]*)"', text))


@pytest.mark.parametrize("options", [("--ucx-transports", "tcp"), ("--ucx-path", "shm", "--integrity", "xxh3"), ()])
def test_ucx_carries_what_stream_carries(options, genie_tool, plan, tmp_path):
    local = genie_tool("run", plan, *small_plans.inputs(), "--output", "-", "--threads", "1")
    pool = start(tmp_path / "pool", "--ucx", *options)
    try:
        done = run(pool, plan)
        assert done.returncode == 0, done.stderr + pool["node1"].log()[-1000:]
        assert done.stdout == local.stdout
        bench = pool.genie("bench", plan, *TWO_NODES, *small_plans.inputs(), "--runs", "50")
        assert bench.returncode == 0, bench.stderr
        for node in pool.nodes.values():
            assert node.process.poll() is None, node.log()[-1000:]
            assert node.end() == 0
    finally:
        pool.__exit__()


def test_the_path_in_use_is_reported(plan, tmp_path):
    pool = start(tmp_path / "pool", "--ucx", "--ucx-transports", "tcp")
    try:
        command = pool.command("bench", plan, *TWO_NODES, *small_plans.inputs(), "--seconds", "20")
        bench = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not any("ucx" in path for path in paths_of(pool["node1"])):
            time.sleep(0.1)
        paths = paths_of(pool["node1"])
        bench.kill()
        bench.wait()
        assert any("ucx" in path and "tcp" in path for path in paths), paths
        assert any("tls" in path for path in paths), paths  # of the client's calls
    finally:
        pool.__exit__()


def test_no_path_is_replaced_by_another(plan, tmp_path):
    pool = start(tmp_path / "pool", "--ucx", "--ucx-transports", "tcp", "--ucx-path", "rdma")
    try:
        done = run(pool, plan)
        assert done.returncode == 1 and "rdma is demanded" in done.stderr and done.stderr.count("\n") <= 3, done.stderr
    finally:
        pool.__exit__()


def test_an_operator_who_does_not_take_ucx_is_not_given_it(plan, tmp_path):
    pool = start(tmp_path / "pool")
    try:
        done = run(pool, plan)
        assert done.returncode == 1 and "without --ucx" in done.stderr, done.stderr
    finally:
        pool.__exit__()
