"""What breaks under a running node, and what its clients are told. One daemon's misfortune is never another session's."""

import os
import tempfile
import pathlib
import re
import resource
import subprocess
import time

import nodes
import pytest
import small_plans

ON_NODE1 = ("--place", "local:cpu0=node1:cpu0")
TOLD_WITHIN = 3.0
SLACK = 0.7  # of a loaded test machine


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with nodes.Pool(["node1", "node2"], tmp_path_factory.mktemp("faults"), options=["--threads", "1"]) as pool:
        print(f"daemons on {pool.where}")
        yield pool


@pytest.fixture(scope="module")
def plan(geniec, pool):
    return small_plans.compile_plan(geniec, pool.folder)


@pytest.fixture(scope="module")
def split_plan(geniec, pool):
    return small_plans.compile_plan(geniec, pool.folder, "a=local:cpu0", "b=local:cpu1")


def start_bench(pool, plan, *arguments, seconds=30):
    given = () if "--input" in arguments else small_plans.inputs()
    command = pool.command("bench", plan, *arguments, *given, "--seconds", str(seconds))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_once(pool, plan, *arguments):
    return pool.genie("run", plan, *arguments, *small_plans.inputs())


def wait_for_calls(node, count=1):
    """Until sessions of the node are open."""
    deadline = time.monotonic() + 20
    while node.log().count("session ") < count and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)


def kill(pool):
    pool["node2"].kill()


def stop(pool):
    pool["node2"].stop()


def cut(pool):
    pool["node2"].machine.cut()


def heal(pool):
    node = pool["node2"]
    node.go_on()
    try:
        node.machine.restore()
    except nodes.netns.Unavailable:
        pass
    if node.process.poll() is not None:
        node.start()


@pytest.mark.parametrize("fault", [kill, stop, cut])
def test_a_lost_node_is_named_in_time_and_others_go_on(fault, pool, plan, split_plan):
    if fault is cut and "127.0.0.0/8" in pool.where:
        pytest.skip(pool.where)
    both = start_bench(pool, split_plan, *ON_NODE1, "--place", "local:cpu1=node2:cpu0")
    alone = start_bench(pool, plan, *ON_NODE1, seconds=6)
    wait_for_calls(pool["node2"], pool["node2"].log().count("session ") + 1)
    assert both.poll() is None, both.stderr.read()
    begin = time.monotonic()
    fault(pool)
    try:
        _, error = both.communicate(timeout=20)
        seconds = time.monotonic() - begin
        assert alone.wait(timeout=60) == 0, alone.stderr.read()
    finally:
        heal(pool)
    assert both.returncode == 1
    assert "node2" in error.splitlines()[-1] and error.count("genie bench: ") == 1, error
    assert seconds < TOLD_WITHIN + SLACK, f"told after {seconds:.1f} s: {error}"
    done = run_once(pool, split_plan, *ON_NODE1, "--place", "local:cpu1=node2:cpu0")
    assert done.returncode == 0, done.stderr


def test_nobody_is_lost_while_the_whole_machine_stands_still(pool, split_plan):
    """Time in which a side could not listen does not count against the other: heartbeats lie there when it goes on."""
    both = start_bench(pool, split_plan, *ON_NODE1, "--place", "local:cpu1=node2:cpu0", seconds=9)
    wait_for_calls(pool["node2"], pool["node2"].log().count("session ") + 1)
    child = int(subprocess.run(["pgrep", "-P", str(both.pid)], capture_output=True, text=True).stdout or both.pid)
    pids = [child, pool["node1"].process.pid, pool["node2"].process.pid]
    for pid in pids:
        os.kill(pid, 19)
    time.sleep(4)
    for pid in pids:
        os.kill(pid, 18)
    assert both.wait(timeout=60) == 0, both.stderr.read()


def test_a_stopped_client_costs_its_own_session_only(pool, plan):
    node = pool["node1"]
    slow, other = start_bench(pool, plan, *ON_NODE1), start_bench(pool, plan, *ON_NODE1, seconds=5)
    wait_for_calls(node, node.log().count("session ") + 2)
    closed = node.log().count(" closed after ")
    pid = int(subprocess.run(["pgrep", "-P", str(slow.pid)], capture_output=True, text=True).stdout or slow.pid)
    os.kill(pid, 19)
    try:
        deadline = time.monotonic() + TOLD_WITHIN + SLACK + 5
        while node.log().count(" closed after ") == closed and time.monotonic() < deadline:
            time.sleep(0.1)
        assert node.log().count(" closed after ") > closed
        assert other.wait(timeout=60) == 0, other.stderr.read()
    finally:
        os.kill(pid, 18)
    assert slow.wait(timeout=20) == 1
    assert run_once(pool, plan, *ON_NODE1).returncode == 0


def test_silent_connections_are_closed_and_disturb_nobody(pool, plan):
    node = pool["node1"]
    holders = [
        pool.client.start(["python3", "-c", HOLD, node.machine.address, str(node.port), first.hex()], stdout=subprocess.PIPE, text=True)
        for first in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n")
    ]
    assert run_once(pool, plan, *ON_NODE1).returncode == 0
    for holder in holders:
        seconds = float(holder.communicate(timeout=30)[0])
        assert seconds < 10, seconds


HOLD = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.sendall(bytes.fromhex(sys.argv[3]))
peer.settimeout(25)
begin = time.monotonic()
try:
    while peer.recv(4096):
        pass
except ConnectionError:
    pass
print(time.monotonic() - begin)
"""


def test_more_memory_than_a_node_grants_is_refused(geniec, pool):
    node = pool.add("small", "--memory-limit", "4")
    large = small_plans.compile_plan(geniec, pool.folder, size=1024)
    little = small_plans.compile_plan(geniec, pool.folder, size=64)
    onto = ("--place", "local:cpu0=small:cpu0")
    done = pool.genie("run", large, *onto, *small_plans.inputs(1024))
    assert done.returncode == 1
    assert "small" in done.stderr and "4194304" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    done = pool.genie("run", little, *onto, *small_plans.inputs(64))
    assert done.returncode == 0, done.stderr
    assert node.process.poll() is None


def test_a_node_that_gets_no_memory_refuses_and_lives(geniec, pool):
    """What the system refuses, in spite of the limits that were set, ends the session that asked and nothing else."""
    node = pool.add("cramped")
    onto = ("--place", "local:cpu0=cramped:cpu0")
    large, little = small_plans.compile_plan(geniec, pool.folder, size=4608), small_plans.compile_plan(geniec, pool.folder, size=64)
    with start_bench(pool, little, *onto, *small_plans.inputs(64), seconds=8) as other:
        wait_for_calls(node)
        resource.prlimit(node.process.pid, resource.RLIMIT_AS, (node.status("VmSize") * 1024 + (48 << 20),) * 2)
        done = pool.genie("run", large, *onto, *small_plans.inputs(4608))
        assert done.returncode == 1 and "cramped" in done.stderr and "memory" in done.stderr.splitlines()[-1], done.stderr
        assert other.wait(timeout=60) == 0, other.stderr.read()
    done = pool.genie("run", little, *onto, *small_plans.inputs(64))
    assert done.returncode == 0, done.stderr
    assert node.end() == 0
    del pool.nodes["cramped"]


def test_a_full_disk_costs_only_the_cache(pool, plan, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    data = pool.folder / "full" / "data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", data], check=True)
    try:
        node = pool.add("full")
        done = run_once(pool, plan, "--place", "local:cpu0=full:cpu0")
        assert done.returncode == 0, done.stderr
        assert "kept in memory only" in node.log()
        again = run_once(pool, plan, "--place", "local:cpu0=full:cpu0")
        assert again.returncode == 0, again.stderr
        assert node.end() == 0
    finally:
        subprocess.run(["umount", data], check=True)


def test_weights_are_read_where_the_node_sees_them(pool, plan):
    node = pool.add("seeing", "--weights-from", pool.folder)
    onto = ("--place", "local:cpu0=seeing:cpu0")
    done = run_once(pool, plan, *onto, "--weights-path", plan)
    assert done.returncode == 0 and "sent" not in done.stderr, done.stderr
    # A node that does not see the file, or sees another one, is sent the weights.
    for path in ("/etc/passwd", pool.folder / "weights512"):
        node.end()
        node.start()
        pool.write()
        done = run_once(pool, plan, *onto, "--weights-path", path)
        assert done.returncode == 0 and "sent" in done.stderr, done.stderr
        for chunk in (node.folder / "data" / "weights").glob("?" * 64):
            chunk.unlink()
    done = run_once(pool, plan, *onto, "--weights-path", "relative")
    assert done.returncode == 1 and "must be absolute" in done.stderr
    assert node.end() == 0


def test_damaged_weights_on_disk_are_fetched_again(pool, plan):
    node = pool["node1"]
    assert run_once(pool, plan, *ON_NODE1).returncode == 0
    assert node.end() == 0
    chunks = list((node.folder / "data" / "weights").glob("?" * 64))
    assert chunks
    for chunk in chunks:
        bytes_ = bytearray(chunk.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        chunk.write_bytes(bytes_)
    node.start()
    pool.write()
    done = run_once(pool, plan, *ON_NODE1)
    assert done.returncode == 0, done.stderr
    assert "damaged" in node.log()


def test_a_stranger_is_refused_in_one_line(pool, plan):
    stranger = pool.make_key("stranger")
    command = pool.command("run", plan, *ON_NODE1, *small_plans.inputs())
    command[command.index("--key") + 1] = str(stranger)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "node1" in done.stderr, done.stderr


def test_a_hardened_node_serves(pool, plan):
    """System calls are filtered, nothing can be gained, no capability is left, memory is not dumped."""
    status = pathlib.Path(f"/proc/{pool['node1'].process.pid}/status").read_text()
    if "not filtered" in pool["node1"].log():
        pytest.skip("built with a sanitizer")
    for line in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"):
        assert line in status, line
    assert run_once(pool, plan, *ON_NODE1).returncode == 0


def test_a_node_becomes_another_user(pool, plan):
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    for folder in (pool.folder, *pool.folder.parents):  # the other user passes through all of them
        if folder == pathlib.Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    node = pool.add("nobody", "--user", "nobody")
    done = run_once(pool, plan, "--place", "local:cpu0=nobody:cpu0")
    assert done.returncode == 0, done.stderr
    assert node.status("Uid") != 0
    assert node.end() == 0


def test_network_memory_is_of_the_kind_that_was_demanded(pool, split_plan):
    node = pool.add("plain", "--network-memory", "plain", "--network-memory-size", "16")
    places = ("--place", "local:cpu0=node1:cpu0", "--place", "local:cpu1=plain:cpu0")
    assert run_once(pool, split_plan, *places).returncode == 0
    assert node.status("VmRSS") > 16 * 1024
    assert node.end() == 0
    for kind, message in (("silk", "takes plain, hugepage or dpdk"), ("hugepage", "'hugepage' was demanded")):
        with pytest.raises(RuntimeError, match=message):
            pool.add(f"refused-{kind}", "--network-memory", kind, "--network-memory-size", "1048576")
        pool.nodes.pop(f"refused-{kind}", None)


def test_metrics_are_served(pool, plan):
    node = pool.add("measured", "--metrics-listen", "0.0.0.0:0")
    port = re.search(r"metrics on port (\d+)", node.log())[1]
    assert run_once(pool, plan, "--place", "local:cpu0=measured:cpu0").returncode == 0
    script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    url = f"http://{node.machine.address}:{port}/metrics"
    done = pool.client.run(["python3", "-c", script, url], capture_output=True, text=True, timeout=20)
    assert 'genied_calls_total{result="ok"} 1' in done.stdout, done.stdout + done.stderr
    assert 'genied_sessions_total{result="opened"} 1' in done.stdout
    assert node.end() == 0
