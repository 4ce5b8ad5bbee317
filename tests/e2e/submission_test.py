"""Several calls in flight, their ends, many sessions after each other, and a session that comes back: the C API."""

import json
import pathlib
import re
import subprocess

import pytest

import nodes
from genie import toolchain

ON_NODE1 = "local:cpu0=node1:cpu0"
OPTIONS = ["--threads", "1", "--devices", "cpu0,cpu1,cpu2", "--metrics-listen", "0.0.0.0:0"]
SPLITS = {
    "two_nodes": ("node1:cpu0", "node2:cpu0", "node1:cpu0"),
    "with_the_process": ("local:cpu0", "node1:cpu0", "local:cpu0"),
    "three_places_of_a_node": ("node1:cpu0", "node1:cpu1", "node1:cpu2"),
    "two_places_around_a_node": ("node1:cpu0", "node2:cpu0", "node1:cpu1"),
}


# What a call gives depends on all calls before it: sums of what came, then differences to what was kept at the next places.
ROWS = "tensor<8x64xf32>"
STATES = "".join(f"genie.state @{name} : {ROWS}\n" for name in "abc") + f"""
func.func @main(%x: {ROWS} {{genie.input = "x"}}, %a: {ROWS} {{genie.state = @a}}, %b: {ROWS} {{genie.state = @b}}, %c: {ROWS} {{genie.state = @c}}) -> ({ROWS} {{genie.output = "y"}}) {{
  %0 = genie.add %x, %a {{genie.module = "0:A"}} : ({ROWS}, {ROWS}) -> {ROWS}
  genie.state_update %0, @a : {ROWS}
  %1 = genie.sub %0, %b {{genie.module = "2:B"}} : ({ROWS}, {ROWS}) -> {ROWS}
  genie.state_update %1, @b : {ROWS}
  %2 = genie.sub %1, %c {{genie.module = "4:C"}} : ({ROWS}, {ROWS}) -> {ROWS}
  genie.state_update %2, @c : {ROWS}
  return %2 : {ROWS}
}}
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with nodes.Pool(["node1", "node2"], tmp_path_factory.mktemp("pool"), options=OPTIONS) as pool:
        yield pool


def split(geniec, pool, model, places, plan):
    """Modules 0, 2 and 4 of a model on three places: (plan, place map)"""
    rules = [argument for layer, place in zip("024", places) for argument in ("--place", f"{layer}={place}")]
    done = geniec(model, "-o", plan, "--pool", pool.path, *rules)
    assert done.returncode == 0, done.stderr
    return plan, "-"


@pytest.fixture(scope="module")
def plans(geniec, plan_of, pool, mlp, tmp_path_factory):
    """(plan, place map) by what it needs"""
    folder = tmp_path_factory.mktemp("split")
    made = {name: split(geniec, pool, mlp.path, places, folder / f"{name}.gplan") for name, places in SPLITS.items()}
    return made | {"one_node": (plan_of(mlp.path), ON_NODE1)}


def command(pool, plan, mode, count):
    path, place_map = plan
    return pool.client.command([pool.program("remote_driver"), path, pool.path, pool.key, place_map, mode, str(count)])


def drive(pool, plan, mode, count, timeout=300):
    done = subprocess.run(command(pool, plan, mode, count), capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("where", ["one_node", *SPLITS])
@pytest.mark.parametrize("mode", ["pipeline", "cancel", "late"])
def test_calls_in_flight_end_once_with_their_own_results(where, mode, plans, pool):
    drive(pool, plans[where], mode, 200)


@pytest.mark.parametrize("where", SPLITS)
def test_calls_in_flight_see_the_states_that_earlier_calls_left_at_several_places(where, geniec, pool, tmp_path):
    """As one after the other in one process, to the bit: each place keeps a state, and sends it on as it is."""
    model = tmp_path / "states.mlir"
    model.write_text(STATES)
    drive(pool, split(geniec, pool, model, SPLITS[where], tmp_path / "states.gplan"), "pipeline", 200)


SCRAPE = """
import re, sys, time, urllib.request
most, end = 0, time.monotonic() + float(sys.argv[2])
while True:
    text = urllib.request.urlopen(sys.argv[1]).read().decode()
    most = max(most, int(re.search(r"^genied_calls_running (\\d+)", text, re.M)[1]))
    if time.monotonic() > end or most > 1:
        break
print(most if float(sys.argv[2]) else text)
"""


def scrape(pool, node, seconds=0):
    """The node's metrics; or the most calls that were running at any time until there were several or the time was over."""
    port = re.search(r"metrics on port (\d+)", node.log())[1]
    url = f"http://{node.machine.address}:{port}/metrics"
    done = pool.client.run(["python3", "-c", SCRAPE, url, str(seconds)], capture_output=True, text=True, timeout=seconds + 20)
    return done.stdout


def edges_of(pool, node):
    """{(from, to, direction): bytes} of the node's only session, and the contract's difference."""
    text = scrape(pool, node)
    rows = re.findall(r'^genied_edge_bytes_total\{.*from="(.*?)",to="(.*?)",direction="(.*?)"\} (\d+)', text, re.M)
    difference = re.findall(r"^genied_contract_difference_bytes\{.*\} (\d+)", text, re.M)
    return {row[:3]: int(row[3]) for row in rows}, list(map(int, difference))


def test_bytes_are_counted_by_edge_and_are_what_the_plan_says(plans, pool):
    """What one node sent is what the other received, and what arrived is what the plan's expressions say."""
    with subprocess.Popen(command(pool, plans["two_nodes"], "hold", 50), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout.readline() == "held\n"
        first, first_difference = edges_of(pool, pool["node1"])
        second, second_difference = edges_of(pool, pool["node2"])
        driver.stdin.close()
        assert driver.wait(timeout=20) == 0
    to, back = ("node1:cpu0", "node2:cpu0"), ("node2:cpu0", "node1:cpu0")
    assert first[*to, "sent"] == second[*to, "received"] > 0 and first[*to, "sent"] % 50 == 0
    assert second[*back, "sent"] == first[*back, "received"] > 0
    assert first_difference == second_difference == [0]


def test_the_places_of_a_node_work_on_different_calls(plans, pool):
    """A call begins at the first place while the one before is at a later place."""
    with subprocess.Popen(command(pool, plans["three_places_of_a_node"], "retry", 1000000), stdout=subprocess.PIPE, text=True) as driver:
        most = int(scrape(pool, pool["node1"], seconds=30))
        driver.kill()
    assert most > 1


def test_an_output_in_the_sessions_memory_is_the_next_runs_input(pool, tmp_path):
    plan = tmp_path / "sample.gplan"
    subprocess.run([toolchain.find("bin/write_sample_plan"), plan], check=True)
    drive(pool, (plan, ON_NODE1), "chain", 20)


def test_many_sessions_leave_nothing(plans, pool, is_full):
    node = pool["node1"]
    drive(pool, plans["one_node"], "sessions", 100)
    before = node.status("VmRSS"), node.file_count(), node.status("Threads")
    grown = drive(pool, plans["one_node"], "sessions", 1000 if is_full else 200)
    after = node.status("VmRSS"), node.file_count(), node.status("Threads")
    assert grown["grown_kib"] < 2048 and grown["grown_files"] == 0, grown
    assert after[0] - before[0] < 2048, (before, after)
    assert after[1:] == before[1:], (before, after)


SANITIZED = pathlib.Path(__file__).parents[2] / "build" / "asan"


def test_sessions_leak_nothing_that_a_sanitizer_sees(plans, is_full, tmp_path):
    """Client and node are built with AddressSanitizer, whose leak check speaks at their ends: a test of --all, which builds them."""
    if not is_full or not (SANITIZED / "bin" / "remote_driver").exists():
        pytest.skip("only with --all and build/asan")
    with nodes.Pool(["node1", "node2"], tmp_path / "pool", options=OPTIONS, build=SANITIZED) as pool:
        split = plans["two_nodes"]
        drive(pool, plans["one_node"], "sessions", 1000, timeout=900)
        drive(pool, split, "sessions", 100, timeout=300)
        for mode in ("pipeline", "cancel", "late"):
            drive(pool, split, mode, 200)
            drive(pool, plans["three_places_of_a_node"], mode, 200)
        for node in pool.nodes.values():
            assert node.end() == 0, node.log()[-3000:]
            assert "Sanitizer" not in node.log()


@pytest.mark.parametrize("lost", ["kill", "stop"])
@pytest.mark.parametrize("where", ["one_node", "two_nodes"])
def test_submissions_of_a_lost_node_are_repeated_on_another(where, lost, plans, mlp, geniec, tmp_path):
    with nodes.Pool(["node1", "node2", "spare"], tmp_path / "pool", options=OPTIONS) as pool:
        with subprocess.Popen(command(pool, plans[where], "retry", 8000), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as driver:
            assert driver.stdout.readline() == "running\n"
            getattr(pool["node1"], lost)()
            output, error = driver.communicate(timeout=120)
            assert driver.returncode == 0 and output == "done\n", error
        taker = pool["node2" if where == "one_node" else "spare"]
        assert "session " in taker.log()


def test_a_session_comes_back_after_its_node_does(plans, pool):
    node = pool["node1"]
    with subprocess.Popen(command(pool, plans["two_nodes"], "reconnect", 20), stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout.readline() == "running\n"
        node.kill()
        lost = driver.stdout.readline()
        assert lost.startswith("ABORTED: ") and "node1" in lost
        node.start()
        assert driver.stdout.readline() == "reconnected\n"
        assert driver.wait(timeout=20) == 0
