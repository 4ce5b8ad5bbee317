"""genie run --trace: what places and links did, by the clocks of all nodes."""

import json

import pytest
import torch
from torch import nn

import archives
import genie
import nodes
import traced
from genie import runtime

SIZE = 1024
ROWS = 4096  # 16 MiB of activations


class Branches(nn.Module):
    """What `far` reads travels while `near` computes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(SIZE, SIZE)
        self.far = nn.Linear(SIZE, 8)
        self.near = nn.Sequential(*[nn.Linear(SIZE, SIZE) for _ in range(3)])

    def forward(self, x):
        made = self.first(x)
        return self.far(made), self.near(x)[:, :8]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with nodes.Pool(["node1", "node2"], tmp_path_factory.mktemp("pool"), options=["--threads", "1"], has_namespaces=False) as pool:
        yield pool


@pytest.fixture(scope="module")
def branches(geniec, pool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("branches")
    torch.manual_seed(0)
    inputs = (torch.randn(ROWS, SIZE),)
    archive = folder / "branches.pt2"
    genie.export(Branches().eval(), inputs, path=archive)
    places = ("--place", "*=node1:cpu0", "--place", "far=node2:cpu0")
    done = geniec(archive, "-o", folder / "branches.gplan", "--pool", pool.path, *places)
    assert done.returncode == 0, done.stderr
    return folder / "branches.gplan", inputs


def read_trace(path):
    trace = json.loads(path.read_text())
    names = {event["pid"]: event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"}
    return [event | {"track": names[event["pid"]]} for event in trace["traceEvents"] if event["ph"] == "X"], trace["otherData"]


def of(events, category, track):
    return [event for event in events if (event["cat"], event["track"]) == (category, track)]


def test_a_trace_shows_places_and_links(geniec, pool, tmp_path):
    archive = archives.zoo("bert")
    places = ("--place", "*embeddings*=node1:cpu0", "--place", "*layer.0*=node2:cpu0")
    plan, path = tmp_path / "bert.gplan", tmp_path / "trace.json"
    assert geniec(archive.path, "-o", plan, "--pool", pool.path, *places).returncode == 0
    done = pool.genie("run", plan, "--inputs", archive.calls[0][0], "--trace", path)
    assert done.returncode == 0, done.stderr
    events, about = read_trace(path)
    assert about["dropped_events"] == 0 and 0 < about["clock_error_us"] < 1e6
    assert {"node1:cpu0", "node2:cpu0", "node1:cpu0 to node2:cpu0", "caller to node1:cpu0"} <= {event["track"] for event in events}
    assert all(of(events, "launch", place) for place in ("node1:cpu0", "node2:cpu0"))
    assert all("module" in event["args"] for event in of(events, "launch", "node2:cpu0"))
    slack = 2 * about["clock_error_us"] + 1
    for transfer in of(events, "transfer", "node1:cpu0 to node2:cpu0"):
        (send,) = [event for event in of(events, "send", "node1:cpu0") if event["name"] == transfer["name"]]
        (receive,) = [event for event in of(events, "receive", "node2:cpu0") if event["name"] == transfer["name"]]
        assert send["args"]["bytes"] == transfer["args"]["bytes"] == receive["args"]["bytes"] > 0
        assert send["ts"] - slack <= transfer["ts"] and transfer["ts"] + transfer["dur"] <= receive["ts"] + receive["dur"] + slack


def overlap_of(events):
    """The share of the time that transfers to node 2 are under way in which node 1 computes."""
    transfers = [event for event in events if event["what"] == "transfer" and event["destination"] == "node2:cpu0"]
    assert sum(event["bytes"] for event in transfers) == ROWS * SIZE * 4 and {event["source"] for event in transfers} == {"node1:cpu0"}
    computing = traced.union(map(traced.interval, (event for event in events if event["what"] == "launch" and event["source"] == "node1:cpu0")))
    under_way = traced.union(map(traced.interval, transfers))
    shared = traced.length(computing) + traced.length(under_way) - traced.length(traced.union(computing + under_way))
    return shared / traced.length(under_way)


def test_a_transfer_overlaps_a_kernel(branches, pool):
    plan, inputs = branches
    session = runtime.Session(runtime.Model(plan), pool=pool.path, key=pool.key, known_nodes=pool.folder / "known_nodes", trace=True)
    session.run(inputs)
    session.trace()
    overlaps = []
    for call in range(2, 8):
        session.run(inputs)
        events = session.trace()
        assert {event["call"] for event in events} == {call}
        overlaps.append(overlap_of(events))
    # Other programs may keep one call's sender or receiver waiting; they do not make an overlap.
    assert max(overlaps) > 1 / 2, overlaps


def test_a_trace_of_this_process(geniec, genie_tool, tmp_path):
    archive = archives.zoo("mlp")
    plan, path = tmp_path / "mlp.gplan", tmp_path / "trace.json"
    assert geniec(archive.path, "-o", plan).returncode == 0
    done = genie_tool("run", plan, "--inputs", archive.calls[0][0], "--trace", path)
    assert done.returncode == 0, done.stderr
    events, about = read_trace(path)
    assert about["clock_error_us"] == 0 and of(events, "launch", "local:cpu0")
    done = genie_tool("run", plan, "--inputs", archive.calls[0][0], "--trace", tmp_path / "no" / "trace.json")
    assert done.returncode == 1 and "no/trace.json" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_session_without_a_trace_says_so(branches, pool):
    session = runtime.Session(runtime.Model(branches[0]), pool=pool.path, key=pool.key, known_nodes=pool.folder / "known_nodes")
    with pytest.raises(genie.GenieError, match="without has_trace"):
        session.trace()


def test_events_that_did_not_fit_are_said(geniec, tmp_path):
    inputs = (torch.ones(2),)
    genie.export(nn.ReLU(), inputs, path=tmp_path / "relu.pt2")
    assert geniec(tmp_path / "relu.pt2", "-o", tmp_path / "relu.gplan").returncode == 0
    session = runtime.Session(runtime.Model(tmp_path / "relu.gplan"), trace=True)
    for _ in range(1 << 15):
        session.run(inputs)
    whole = len(session.trace())
    for _ in range((1 << 15) + 7):
        session.run(inputs)
    with pytest.warns(RuntimeWarning, match="^7 events"):
        assert len(session.trace()) == whole == 1 << 15
