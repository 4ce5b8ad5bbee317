"""What a client is told when a node, a network or another client fails, and what goes on."""

import signal
import socket
import subprocess
import time

import netns
import pytest

import archives
import nodes

ON_NODE1 = ("--place", "local:cpu0=node1:cpu0")
TOLD_WITHIN_SECONDS = 3.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def pool(folder):
    with nodes.Pool(["node1", "node2", "spare"], folder / "pool", options=["--threads", "1"]) as pool:
        yield pool


@pytest.fixture(scope="module")
def whole(plan_of, mlp):
    return plan_of(mlp.path)


@pytest.fixture(scope="module")
def split(geniec, pool, mlp, folder):
    plan = folder / "split.gplan"
    rules = [argument for rule in ("0=node1:cpu0", "2=node2:cpu0", "4=node1:cpu0") for argument in ("--place", rule)]
    done = geniec(mlp.path, "-o", plan, "--pool", pool.path, *rules)
    assert done.returncode == 0, done.stderr
    return plan


@pytest.fixture(autouse=True)
def whole_pool(pool):
    """Every test begins and ends with all nodes up."""
    yield
    for node in pool.nodes.values():
        node.go_on()
        if hasattr(node.machine, "namespace"):
            node.machine.restore()
        if node.process.poll() is not None:
            node.start()
    pool.write()


class Traffic:
    """`genie bench` on the pool, in the background."""

    def __init__(self, pool, plan, *arguments, seconds=30):
        command = pool.command("bench", plan, *arguments, "--seconds", str(seconds), "--json")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.0)
        assert self.process.poll() is None, self.process.communicate()[1]

    def end(self, timeout=20):
        output, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, output, errors.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def assert_told(traffic, since, *names):
    code, _, errors = traffic.end()
    elapsed = time.monotonic() - since
    assert code == 1, errors
    assert elapsed < TOLD_WITHIN_SECONDS, f"{elapsed:.1f} s: {errors}"
    assert "lost node" in errors and any(name in errors for name in names), errors
    assert len([line for line in errors.splitlines() if "weights" not in line]) == 1, errors


FAILURES = {
    "killed": lambda node: node.kill(),
    "stopped": lambda node: node.stop(),
    "cut": lambda node: node.machine.cut(),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_lost_node_is_named_in_time_and_other_sessions_go_on(failure, pool, whole, split):
    lost = pool["node2"]
    if failure == "cut" and not hasattr(lost.machine, "namespace"):
        pytest.skip(f"no network to cut: {pool.where}")
    with Traffic(pool, split) as traffic, Traffic(pool, whole, "--place", "local:cpu0=spare:cpu0", seconds=4) as other:
        since = time.monotonic()
        FAILURES[failure](lost)
        assert_told(traffic, since, lost.name)
        code, _, errors = other.end()
        assert code == 0, errors


def test_a_call_without_state_is_repeated_on_another_node(pool, whole):
    with Traffic(pool, whole, *ON_NODE1, "--retry", seconds=5) as traffic:
        pool["node1"].kill()
        code, _, errors = traffic.end()
        assert code == 0, errors


def test_a_node_that_is_not_there_is_named(pool, whole, mlp):
    pool["node1"].kill()
    since = time.monotonic()
    done = pool.genie("run", whole, *ON_NODE1, "--inputs", mlp.calls[0][0])
    assert done.returncode == 1 and "node1" in done.stderr and time.monotonic() - since < TOLD_WITHIN_SECONDS


def test_a_node_that_stops_lets_calls_end(pool, whole):
    with Traffic(pool, whole, *ON_NODE1, seconds=3) as traffic:
        node = pool["node1"]
        node.process.send_signal(signal.SIGTERM)
        code, _, errors = traffic.end()
        assert code == 0, errors
        assert node.process.wait(timeout=10) == 0
        assert "stopped" in node.log()


# ---- Limits ----


def refusal_of(pool, plan, archive, name, *options):
    """What `genie run` says of a node with these options, while another session is open on it."""
    node = pool.add(name, *options)
    place = ("--place", f"local:cpu0={name}:cpu0")
    with Traffic(pool, plan["mlp"], *place):
        done = pool.genie("run", plan["bert"], *place, "--inputs", archive.calls[0][0])
    assert node.end() == 0
    del pool.nodes[name]
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("limit", [("--client-memory-limit", "1"), ("--memory-limit", "1"), ("--max-sessions", "1")])
def test_a_limit_is_a_refusal_that_names_it(limit, pool, plan_of, mlp):
    bert = archives.zoo("bert")
    plans = {"mlp": plan_of(mlp.path), "bert": plan_of(bert.path)}
    name = limit[0].strip("-")
    said = refusal_of(pool, plans, bert, name, *limit)
    assert limit[0] in said and f"'{name}'" in said


def test_silent_connections_leave_room_for_clients(pool, whole, mlp):
    few = pool.add("few", "--max-connections", "12")
    program = "import socket,sys,time; a=[socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(40)]; time.sleep(20)"
    silent = subprocess.Popen(pool.client.command(["python3", "-c", program, few.machine.address, str(few.port)]))
    time.sleep(0.5)
    assert few.status("Threads") < 12
    time.sleep(5.5)  # those that never said Hello were closed
    assert few.status("Threads") < 4
    done = pool.genie("run", whole, "--place", "local:cpu0=few:cpu0", "--inputs", mlp.calls[0][0])
    silent.kill()
    assert done.returncode == 0, done.stderr
    assert "--max-connections" in few.log()
    assert few.end() == 0
    del pool.nodes["few"]


def test_random_bytes_do_no_harm(pool, whole, mlp):
    node = pool["node1"]
    program = "import os,socket,sys\nfor _ in range(50):\n  s=socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.sendall(os.urandom(300)); s.close()"
    subprocess.run(pool.client.command(["python3", "-c", program, node.machine.address, str(node.port)]), check=True)
    done = pool.genie("run", whole, *ON_NODE1, "--inputs", mlp.calls[0][0])
    assert done.returncode == 0, done.stderr


