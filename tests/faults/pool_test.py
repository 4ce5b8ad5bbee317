"""`genie pool` on daemons: what is there, and figures that the compiler can place by."""

import json
import re
import subprocess

import nodes
import pytest
import small_plans


@pytest.fixture
def pool(tmp_path):
    with nodes.Pool(["node1", "node2"], tmp_path / "pool", options=["--threads", "1"]) as pool:
        yield pool


def test_status_tells_nodes_that_are_there_from_those_that_are_not(pool):
    done = pool.genie("pool", "status")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:3] for row in rows[1:]] == [["node1", pool["node1"].address, "up"], ["node2", pool["node2"].address, "up"]]
    assert "tls1.3" in rows[1] and "cpu0" in rows[1]
    assert "GB/s" in rows[1] and "link's" not in done.stdout  # the file says nothing of a link
    written = json.loads(pool.path.read_text())
    written["links"] = [{"from": "local", "to": "node1", "bytes_per_s": 2e9}]
    pool.path.write_text(json.dumps(written))
    assert re.search(r"node1 .* tls1.3 \S+ tcp: \d+\.\d MB at \d+\.\d+ GB/s \(\d+ % of the link's\)", pool.genie("pool", "status").stdout)
    pool["node2"].kill()
    done = pool.genie("pool", "status", "--json")
    assert done.returncode == 1 and "1 of 2 nodes cannot be reached" in done.stderr
    answers = json.loads(done.stdout)["nodes"]
    assert [answer["is_up"] for answer in answers] == [True, False]
    assert answers[0]["memory_limit_bytes"] > 0 and answers[0]["round_trip_ns"] > 0
    assert "node2" in answers[1]["error"]


def assert_measured(nodes):
    for node in nodes:
        (device,) = node["devices"]
        assert device["kind"] == "cpu"
        assert set(device["flops_per_s"]) == {"f32", "f16", "bf16"} and min(device["flops_per_s"].values()) > 1e8
        assert 1e8 < device["memory_bytes_per_s"] < 1e13


def test_measure_fills_the_descriptor_in(geniec, pool, tmp_path):
    written = json.loads(pool.path.read_text())
    for node in written["nodes"]:
        del node["devices"]  # they are found
    pool.path.write_text(json.dumps(written))
    done = pool.genie("pool", "measure", "--seconds", "0.01")
    if "without the compiler" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    measured = json.loads(pool.path.read_text())
    assert {node["name"] for node in measured["nodes"]} == {"node1", "node2"}  # the client is no place unless it is named
    assert_measured(measured["nodes"])
    links = {(link["from"], link["to"]): link for link in measured["links"]}
    assert len(links) == 6
    for link in links.values():
        assert 1e6 < link["bytes_per_s"] < 1e12 and 0 < link["latency_ns"] < 1e8
    # A second measurement keeps what it does not measure, and a plan can be placed on what was written.
    done = pool.genie("pool", "measure", "--seconds", "0.01", "--node", "node1", "--no-links")
    assert done.returncode == 0, done.stderr
    assert json.loads(pool.path.read_text())["links"] == measured["links"]
    plan = small_plans.compile_plan(lambda *arguments: geniec(*arguments, "--pool", pool.path), tmp_path)
    done = pool.genie("run", plan, *small_plans.inputs())
    assert done.returncode == 0, done.stderr
    # The client's own devices are measured where the file names them.
    measured["nodes"].append({"name": "local", "devices": [{"name": "cpu0", "kind": "cpu"}]})
    pool.path.write_text(json.dumps(measured))
    done = pool.genie("pool", "measure", "--seconds", "0.01", "--node", "local", "--no-links")
    assert done.returncode == 0, done.stderr
    assert_measured(node for node in json.loads(pool.path.read_text())["nodes"] if node["name"] == "local")


def test_what_cannot_be_measured_is_said_and_the_rest_written(pool):
    pool["node2"].kill()
    done = pool.genie("pool", "measure", "--seconds", "0.01", "--no-links", "--node", "node1", "--node", "node2")
    assert done.returncode == 1
    assert "node2 is not measured" in done.stderr
    devices = {node["name"]: node["devices"][0] for node in json.loads(pool.path.read_text())["nodes"]}
    assert "flops_per_s" in devices["node1"] and "flops_per_s" not in devices["node2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pool", "mend"], "no 'mend'"),
        (["pool", "status", "--pool", "absent.json"], "cannot read absent.json"),
        (["pool", "status", "--node", "node9"], "no node 'node9'; it has node1"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments, message, genie_tool, tmp_path):
    pool_file = tmp_path / "pool.json"
    pool_file.write_text('{"version": 1, "nodes": [{"name": "node1", "address": "127.0.0.1:1"}]}')
    arguments = arguments if "--pool" in arguments else [*arguments, "--pool", pool_file]
    done = subprocess.run([genie_tool.path, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.returncode in (1, 2) and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
