"""Plans on daemons: what one gives is what the same plan gives in this process, to the bit."""

import json
import subprocess
import time

import pytest
import safetensors.numpy
import torch

import archives
import genie
import nodes
from genie import toolchain

ON_NODE1 = ("--place", "local:cpu0=node1:cpu0")


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with nodes.Pool(["node1", "node2", "node3"], tmp_path_factory.mktemp("pool"), options=["--threads", "1"]) as pool:
        print(f"daemons on {pool.where}")
        yield pool
        for node in pool.nodes.values():
            assert node.process.poll() is None, node.log()[-2000:]
            assert node.end() == 0


@pytest.fixture(scope="module")
def split_plan(geniec, pool, tmp_path_factory):
    """split_plan(archive, rule...) is its plan over the nodes, by rules of geniec --place."""
    folder, plans = tmp_path_factory.mktemp("split"), {}

    def compile_once(archive, *rules):
        if (archive, rules) not in plans:
            plan = folder / f"{len(plans)}.gplan"
            places = [argument for rule in rules for argument in ("--place", rule)]
            done = geniec(archive, "-o", plan, "--pool", pool.path, *places)
            assert done.returncode == 0, done.stderr[-2000:]
            plans[archive, rules] = plan
        return plans[archive, rules]

    return compile_once


def outputs_of(run, *arguments, folder, name="o.safetensors"):
    path = folder / name
    done = run(*arguments, "--outputs", path)
    assert done.returncode == 0, done.stderr
    return safetensors.numpy.load_file(path)


def assert_same_bits(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype and actual[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("model", ["mlp", "bert", "bert_dynamic"])
def test_a_plan_on_one_node_equals_the_process(model, plan_of, genie_tool, pool, tmp_path):
    archive = archives.zoo(model)
    plan = plan_of(archive.path)
    for inputs, _ in archive.calls:
        local = outputs_of(genie_tool, "run", plan, "--threads", "1", "--inputs", inputs, folder=tmp_path)
        remote = outputs_of(pool.genie, "run", plan, *ON_NODE1, "--inputs", inputs, folder=tmp_path)
        assert_same_bits(remote, local)


SPLITS = {
    "two": ("mlp", ("0=node1:cpu0", "2=node2:cpu0", "4=node2:cpu0")),
    "there_and_back": ("mlp", ("0=node1:cpu0", "2=node2:cpu0", "4=node1:cpu0")),
    "three": ("mlp", ("0=node1:cpu0", "2=node2:cpu0", "4=node3:cpu0")),
    "with_the_process": ("mlp", ("0=local:cpu0", "2=node2:cpu0", "4=local:cpu0")),
    "encoder": ("bert", ("*embeddings*=node1:cpu0", "*layer.0*=node2:cpu0")),
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_plan_equals_the_process(split, split_plan, genie_tool, pool, tmp_path):
    model, rules = SPLITS[split]
    archive = archives.zoo(model)
    plan = split_plan(archive.path, *rules)
    inputs = archive.calls[0][0]
    local = outputs_of(genie_tool, "run", plan, "--threads", "1", "--inputs", inputs, folder=tmp_path)
    remote = outputs_of(pool.genie, "run", plan, "--inputs", inputs, folder=tmp_path)
    assert_same_bits(remote, local)


@pytest.mark.parametrize("split", ["there_and_back", "with_the_process", "encoder"])
def test_what_crosses_is_what_the_plan_says(split, split_plan, pool):
    model, rules = SPLITS[split]
    done = pool.genie("verify", split_plan(archives.zoo(model).path, *rules), "--run", "--json")
    assert done.returncode == 0, done.stderr
    edges = json.loads(done.stdout)["traffic"]
    between = [edge for edge in edges if "caller" not in (edge["from"], edge["to"])]
    assert between and all(edge["counted_bytes"] == edge["planned_bytes"] > 0 for edge in edges)


def test_weights_travel_once(plan_of, pool, tmp_path):
    archive = archives.zoo("mlp")
    plan = plan_of(archive.path)
    arguments = ("run", plan, "--place", "local:cpu0=node3:cpu0", "--inputs", archive.calls[0][0])
    pool.genie(*arguments)
    again = pool.genie(*arguments)
    assert again.returncode == 0 and "weights" not in again.stderr


def test_what_a_node_refuses_is_one_clear_line(plan_of, pool, mlp):
    plan = plan_of(mlp.path)
    stranger = pool.make_key("stranger")
    done = pool.genie("run", plan, *ON_NODE1, "--inputs", mlp.calls[0][0], "--key", stranger)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "node1" in done.stderr and "key" in done.stderr


def test_a_node_with_another_key_is_refused(plan_of, pool, mlp, tmp_path):
    plan = plan_of(mlp.path)
    text = pool.path.read_text().replace(pool["node1"].key, "sha256:" + "0" * 64)
    other = tmp_path / "other.json"
    other.write_text(text)
    done = pool.genie("run", plan, *ON_NODE1, "--inputs", mlp.calls[0][0], "--pool", other)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1 and "node1" in done.stderr


def test_a_place_that_the_pool_lacks_is_named(plan_of, pool, mlp):
    done = pool.genie("run", plan_of(mlp.path), "--place", "local:cpu0=node9:cpu0", "--inputs", mlp.calls[0][0])
    assert done.returncode == 1 and "node9" in done.stderr and "node1" in done.stderr


def test_bench_measures_a_remote_plan(plan_of, pool, mlp):
    done = pool.genie("bench", plan_of(mlp.path), *ON_NODE1, "--runs", "50", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"] == 50


def test_connections_between_nodes_leave_from_the_data_interface(geniec, mlp, tmp_path):
    """127.9.9.9 is of no machine here but of every loopback, and no route would choose it."""
    with nodes.Pool([], tmp_path / "pool", has_namespaces=False) as pool:
        pool.add("node1", "--data-interface", "127.9.9.9")
        pool.add("node2")
        plan = tmp_path / "split.gplan"
        rules = [argument for rule in ("*=node1:cpu0", "2=node2:cpu0") for argument in ("--place", rule)]
        assert geniec(mlp.path, "-o", plan, "--pool", pool.path, *rules).returncode == 0
        with subprocess.Popen(pool.command("bench", plan, "--seconds", "3"), stdout=subprocess.DEVNULL) as traffic:
            deadline = time.monotonic() + 2.5
            while "127.9.9.9:" not in (seen := subprocess.run(["ss", "-tn"], capture_output=True, text=True).stdout):
                assert time.monotonic() < deadline, seen
                time.sleep(0.05)
            assert traffic.wait() == 0


def test_states_on_a_node_are_kept_read_written_and_reset(tmp_path):
    plan = tmp_path / "sample.gplan"
    subprocess.run([toolchain.find("bin/write_sample_plan"), plan], check=True)
    step = torch.ones(4)
    with nodes.Pool(["node1"], tmp_path / "pool", has_namespaces=False) as pool:
        model = genie.Model(plan)
        entry = model.find_entry("count")
        here = genie.Session(model, threads=1)
        there = genie.Session(model, pool=pool.path, places={"local:cpu0": "node1:cpu0"}, key=pool.key, known_nodes=tmp_path / "known")
        for session in (here, there):
            assert session.run([step], entry)[0].tolist() == [11, 21, 31, 41]
            assert session.read_state("sum").tolist() == [11, 21, 31, 41]
            session.write_state("sum", torch.tensor([1.0, 2.0, 3.0, 4.0]))
            assert session.run([step], entry)[0].tolist() == [2, 3, 4, 5]
            session.reset_state()
            assert session.run([step], entry)[0].tolist() == [11, 21, 31, 41]
            with pytest.raises(genie.GenieError, match="no state"):
                session.read_state("nothing")


def test_the_path_in_use_is_reported(split_plan, pool):
    archive = archives.zoo("mlp")
    plan = split_plan(archive.path, *SPLITS["two"][1])
    done = pool.genie("run", plan, "-v", "--inputs", archive.calls[0][0])
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "tls1.3" in line]
    assert [line.split(":")[0] for line in lines] == ["local - node1", "local - node2", "node1 - node2"], done.stderr
    assert all("GB/s" in line for line in lines)
