"""Nodes that send to each other over UCX, where the pool declares their link trusted and both operators take it."""

import json
import re
import subprocess
import time
import urllib.request

import netns
import nodes
import pytest
import small_plans

TWO_NODES = ("--place", "local:cpu0=node1:cpu0", "--place", "local:cpu1=node2:cpu0")


def start(folder, *options, has_namespaces=False):
    """A pool of two nodes whose link is UCX's, at addresses of 127.0.0.0/8: shared memory is a path there too."""
    pool = nodes.Pool([], folder, options=["--threads", "1", "--metrics-listen", "127.0.0.1:0", *options], has_namespaces=has_namespaces)
    pool.__enter__()
    try:
        for name in ("node1", "node2"):
            pool.add(name)
    except RuntimeError as error:
        pool.__exit__()
        if "no ucx carrier" in str(error):
            pytest.skip(str(error))
        raise
    set_links(pool, ("node1", "node2"))
    return pool


def set_links(pool, *pairs):
    written = json.loads(pool.path.read_text())
    written["links"] = [{"from": a, "to": b, "carrier": "ucx", "trusted": True, "bytes_per_s": 1e9} for a, b in pairs]
    pool.path.write_text(json.dumps(written))


@pytest.fixture
def plan(geniec, tmp_path):
    return small_plans.compile_plan(geniec, tmp_path, "a=local:cpu0", "b=local:cpu1")


def run(pool, plan, *arguments):
    return pool.genie("run", plan, *TWO_NODES, *small_plans.inputs(), "--output", "-", *arguments)


def metrics_of(node):
    port = re.search(r"metrics on port (\d+)", node.log())[1]
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()


def paths_of(node):
    text = metrics_of(node)
    return set(re.findall(r'genied_link_bytes_total\{[^}]*path="([^"]*)"', text))


@pytest.mark.parametrize("options", [("--ucx-transports", "tcp", "--network-memory", "plain", "--network-memory-size", "32"), ("--ucx-path", "shm", "--integrity", "xxh3"), ()])
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


@pytest.mark.parametrize("places", [TWO_NODES, ("--place", "local:cpu1=node1:cpu0")], ids=["calls", "process"])
def test_ucx_carries_calls_and_the_tensors_of_this_process(places, genie_tool, plan, tmp_path):
    local = genie_tool("run", plan, *small_plans.inputs(), "--output", "-", "--threads", "1")
    pool = start(tmp_path / "pool", "--ucx")
    try:
        set_links(pool, ("local", "node1"), ("node2", "local"))
        done = pool.genie("run", plan, *places, *small_plans.inputs(), "--output", "-", "--threads", "1", "--retry")
        assert done.returncode == 0, done.stderr + pool["node1"].log()[-1000:]
        assert done.stdout == local.stdout
        bench = pool.genie("bench", plan, *places, *small_plans.inputs(), "--runs", "50")
        assert bench.returncode == 0, bench.stderr
    finally:
        pool.__exit__()


def test_a_lost_node_is_named_in_time(plan, tmp_path):
    pool = start(tmp_path / "pool", "--ucx")
    try:
        set_links(pool, ("local", "node1"), ("local", "node2"), ("node1", "node2"))
        for name, harm in (("node2", "kill"), ("node1", "stop")):
            places = TWO_NODES if name == "node2" else TWO_NODES[:2] + ("--place", "local:cpu1=node1:cpu0")
            command = pool.command("bench", plan, *places, *small_plans.inputs(), "--seconds", "30")
            bench = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(2)
            assert bench.poll() is None, bench.stderr.read()
            begin = time.monotonic()
            getattr(pool[name], harm)()
            _, error = bench.communicate(timeout=20)
            assert time.monotonic() - begin < 3.7 and name in error, error
            pool[name].go_on()
    finally:
        pool.__exit__()


def test_the_path_in_use_is_reported(plan, tmp_path):
    pool = start(tmp_path / "pool", "--ucx", "--ucx-transports", "tcp")
    try:
        command = pool.command("bench", plan, *TWO_NODES, *small_plans.inputs(), "--seconds", "20")
        bench = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        shares = []
        while time.monotonic() < deadline and not any(float(share) > 0 for _, share in shares):
            time.sleep(0.1)
            shares = re.findall(r'genied_link_share\{peer="([^"#]*)[^}]*\} (\S+)', metrics_of(pool["node1"]))
        paths = paths_of(pool["node1"])
        bench.kill()
        bench.wait()
        assert any("ucx" in path and "tcp" in path for path in paths), paths
        assert [peer for peer, share in shares] == ["node2"] and float(shares[0][1]) > 0, shares
        assert any("tls" in path for path in paths), paths  # of the client's calls
    finally:
        pool.__exit__()


@pytest.mark.skipif(bool(netns.Network.unavailable()), reason="no network namespaces")
@pytest.mark.parametrize("options", [(), ("--ucx-path", "shm"), ("--ucx-transports", "posix,sysv")], ids=["default", "shm demanded", "shm alone"])
def test_machines_that_share_no_network_namespace_do_not_share_memory(options, genie_tool, plan, tmp_path):
    local = genie_tool("run", plan, *small_plans.inputs(), "--output", "-", "--threads", "1")
    pool = start(tmp_path / "pool", "--ucx", *options, has_namespaces=True)
    try:
        set_links(pool, ("node1", "node2"), *([("local", "node1"), ("local", "node2")] if not options else []))
        begin = time.monotonic()
        done = run(pool, plan, "-v")
        assert time.monotonic() - begin < 10
        if not options:
            assert done.returncode == 0 and done.stdout == local.stdout, done.stderr
            assert "tcp" in done.stderr and "sysv" not in done.stderr, done.stderr
        else:
            assert done.returncode == 1 and ("shm is demanded" in done.stderr or "another network namespace" in done.stderr), done.stderr
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
