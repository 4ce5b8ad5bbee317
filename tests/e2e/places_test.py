"""Plans of several places: split by rules or anywhere, they compute what one place does, and what crosses is counted."""

import json

import pytest
import torch

import archives
import cases
import parity
from e2e.zoo_test import run_by_session
from genie import runtime
from zoo import models

SPLITS = ["@split=1/2", "@split=2/3"]


def compile_to(geniec, folder, archive, *options, name="placed.gplan"):
    plan = folder / name
    done = geniec(archive, "-o", plan, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    return plan


def rules(**places):
    return [option for place, patterns in places.items() for pattern in patterns for option in ("--place", f"{pattern}=local:{place}")]


def assert_traffic_is_as_planned(genie_tool, plan, edge_count):
    done = genie_tool("verify", plan, "--run", "--json")
    assert done.returncode == 0, done.stderr
    edges = json.loads(done.stdout)["traffic"]
    assert len(edges) == edge_count and all(edge["planned_bytes"] == edge["counted_bytes"] > 0 for edge in edges)


def transfers_of(genie_tool, plan):
    lines = genie_tool("inspect", plan).stdout.splitlines()
    return [line.strip() for line in lines if line.strip().startswith("gplan.transfer")]


def test_a_sentence_encoder_over_two_places_equals_eager(geniec, genie_tool, tmp_path):
    archive = archives.zoo("minilm")
    inputs, expected = archive.load_call()
    split = rules(cpu0=["*"], cpu1=["encoder.encoder.layer.[345].*"])
    plan = compile_to(geniec, tmp_path, archive.path, *split)
    session = runtime.Session(runtime.Model(plan))
    parity.assert_equal(run_by_session(session, inputs), expected)
    assert 2 <= len(transfers_of(genie_tool, plan)) <= 4  # the states there and back, and what the mask is made of


def test_calls_in_flight_and_their_traffic(geniec, tmp_path):
    archive = archives.zoo("minilm")
    inputs, expected = archive.load_call()
    split = rules(cpu0=["*"], cpu1=["encoder.encoder.layer.[345].*"])
    session = runtime.Session(runtime.Model(compile_to(geniec, tmp_path, archive.path, *split)))
    ordered = [inputs[info.name] for info in session.model.inputs()]
    flight = [session.submit(ordered) for _ in range(3)]
    for submission in flight:
        (value,) = submission.wait()
        parity.assert_equal({name: value for name in expected}, expected)
    edges = session.traffic()
    assert {(edge["source"], edge["destination"]) for edge in edges} >= {("local:cpu0", "local:cpu1"), ("", "local:cpu0")}
    assert all(edge["last_bytes"] == edge["planned_bytes"] > 0 for edge in edges)


MODES = ("full", "handle", "delta", "off")
POOL = """{"version": 1, "nodes": [
 {"name": "local", "devices": [{"name": "cpu0", "kind": "cpu"}, {"name": "cpu1", "kind": "cpu", "memory_bytes": 400000000}, {"name": "cpu2", "kind": "cpu", "memory_bytes": 400000000}]}
]}"""


@pytest.mark.parametrize("mode", MODES)
def test_a_blind_plan_computes_what_a_full_one_does(geniec, tmp_path, mode):
    archive = archives.zoo("minilm")
    inputs, expected = archive.load_call()
    pool = tmp_path / "pool.json"
    pool.write_text(POOL)
    plan = compile_to(geniec, tmp_path, archive.path, "--pool", pool, "--semantics", mode, "--objective", "latency")
    parity.assert_equal(run_by_session(runtime.Session(runtime.Model(plan)), inputs), expected)


class TwoEncoders(torch.nn.Module):
    """Two branches of unequal sizes that meet."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.image = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.Flatten())
        self.text = nn.Sequential(nn.Embedding(100, 32), nn.TransformerEncoderLayer(32, 4, 64, batch_first=True))
        self.head = nn.Linear(16 * 7 * 7 + 32, 5)

    def forward(self, pixels, tokens):
        return self.head(torch.cat([self.image(pixels), self.text(tokens).mean(1)], dim=1))


@pytest.mark.parametrize("size", [1, 4])
def test_two_encoders_meet_at_a_third_place(geniec, genie_tool, tmp_path, size):
    torch.manual_seed(0)
    args = (torch.randn(2, 3, 32, 32), torch.randint(0, 100, (2, 11)))
    batch = torch.export.Dim("batch", min=1, max=8)
    module = TwoEncoders().eval().requires_grad_(False)
    archive = archives.of_module(tmp_path, module, args, dynamic_shapes=({0: batch}, {0: batch}))
    split = rules(cpu0=["image.*"], cpu1=["text.*"], cpu2=["head"])
    plan = compile_to(geniec, tmp_path, archive.path, *split)
    inputs = [torch.randn(size, 3, 32, 32), torch.randint(0, 100, (size, 11))]
    actual = runtime.Session(runtime.Model(plan)).run(inputs)
    parity.assert_equal(actual, [module(*inputs)])
    assert len(transfers_of(genie_tool, plan)) == 2
    assert_traffic_is_as_planned(genie_tool, plan, edge_count=5)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", models.MODELS)
def test_a_cut_anywhere_changes_no_bit(name, split, geniec, tmp_path):
    archive = archives.zoo(name)
    inputs, expected = archive.load_call()
    results = {}
    for place in (), ("--place", split):
        # Without fusion, so that a cut changes no kernel; each op rounds as it does alone.
        plan = compile_to(geniec, tmp_path, archive.path, "--opt-level", "0", *place)
        results[place] = run_by_session(runtime.Session(runtime.Model(plan)), inputs)
    whole, cut = results.values()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    parity.assert_equal(cut, expected)


@pytest.mark.parametrize("name", ["bert_dynamic", "gpt2", "mobilenetv3", "dlrm"])
def test_fused_kernels_on_both_sides_of_a_cut_equal_eager(name, geniec, tmp_path):
    archive = archives.zoo(name)
    for seed in range(2):
        plan = compile_to(geniec, tmp_path, archive.path, "--place", f"@split={seed + 10}/3")
        session = runtime.Session(runtime.Model(plan))
        for index in range(len(archive.calls)):
            inputs, expected = archive.load_call(index)
            parity.assert_equal(run_by_session(session, inputs), expected)


def test_a_cache_stays_where_it_is_written(geniec, genie_tool, tmp_path):
    options = dict(layers=2, vocabulary=1000)
    module, _ = cases.make("llama", **options)
    archive = archives.decoder("llama", **options)
    plan = compile_to(geniec, tmp_path, archive.path, *rules(cpu0=["*"], cpu1=["blocks.1.*"]))
    session = runtime.Session(runtime.Model(plan))
    with torch.no_grad():
        for position in [5, 6, 7]:
            inputs = [torch.tensor([[position]]), torch.tensor([position])]
            parity.assert_equal(session.run(inputs), [module(*inputs)])
    states = [line for line in genie_tool("inspect", plan).stdout.splitlines() if "gplan.state " in line]
    assert sorted(line.split(" place ")[1][0] for line in states) == ["0", "0", "1", "1"]
    buffers = dict(module.named_buffers())
    for info in session.model.states:
        state = session.read_state(info.name)
        assert parity.difference(state, buffers[info.name.removeprefix("state.")]) <= parity.TOLERANCE


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_what_travels_narrow_is_half_as_large_and_said(dtype, geniec, genie_tool, tmp_path):
    archive = archives.zoo("minilm")
    inputs, expected = archive.load_call()
    split = ("--place", "*=local:cpu0", "--place", "encoder.encoder.layer.[345].*=far:cpu0")
    reports = {}
    for name, options in {"wide": (), "narrow": ("--allow-narrow", dtype)}.items():
        done = geniec(archive.path, "-o", tmp_path / f"{name}.gplan", *split, *options, "--explain=json")
        assert done.returncode == 0, done.stderr
        (entry,) = json.loads(done.stdout)["explain"]["entries"]
        reports[name] = [edge for edge in entry["edges"] if "caller" not in (edge["from"], edge["to"])]
    wide, narrow = reports["wide"], reports["narrow"]
    assert [edge["value"] for edge in wide] == [edge["value"] for edge in narrow]
    halved = [edge for edge in narrow if edge["reason"].endswith(f"sent as {dtype}")]
    assert halved and all(2 * after["bytes"] == before["bytes"] for before, after in zip(wide, narrow, strict=True) if after in halved)
    assert all(after["bytes"] == before["bytes"] for before, after in zip(wide, narrow, strict=True) if after not in halved)
    assert not any("sent as" in edge["reason"] for edge in wide)
    assert_traffic_is_as_planned(genie_tool, tmp_path / "narrow.gplan", len(narrow) + len(inputs) + len(expected))
    outputs = run_by_session(runtime.Session(runtime.Model(tmp_path / "narrow.gplan")), inputs)
    for name, value in expected.items():
        difference = (outputs[name] - value).abs().max() / value.abs().max()
        assert 0 < difference < (2e-2 if dtype == "bf16" else 3e-3), name


class Wide(torch.nn.Module):
    """2 MiB go from `near` to `far`, which needs all rows only at its end."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.near = nn.Sequential(nn.Linear(32, 512), nn.GELU(), nn.Linear(512, 512))
        self.far = nn.Sequential(nn.LayerNorm(512), nn.Linear(512, 16), nn.Softmax(0))

    def forward(self, x):
        return self.far(self.near(x))


def test_a_large_value_goes_in_pieces(geniec, genie_tool, tmp_path):
    torch.manual_seed(0)
    archive = archives.of_module(tmp_path, Wide().eval(), (torch.randn(1025, 32),))
    inputs, expected = archive.load_call()
    plan = compile_to(geniec, tmp_path, archive.path, "--place", "near*=local:cpu0", "--place", "far*=far:cpu0")
    assert [name for name in ("[0:512]", "[512:1025]") if any(name in line for line in transfers_of(genie_tool, plan))] == ["[0:512]", "[512:1025]"]
    done = geniec(archive.path, "-o", plan, "--place", "near*=local:cpu0", "--place", "far*=far:cpu0", "--explain=json")
    weights = {place["name"]: place["weight_bytes"] for place in json.loads(done.stdout)["explain"]["places"]}
    assert weights["local:cpu0"] == 4 * (512 * 32 + 512 + 512 * 512 + 512)  # each once, however many pieces read it
    session = runtime.Session(runtime.Model(plan))
    parity.assert_equal(run_by_session(session, inputs), expected)
    assert sum(edge["last_bytes"] for edge in session.traffic() if edge["source"] == "local:cpu0" and edge["destination"]) == 1025 * 512 * 4
    within = compile_to(geniec, tmp_path, archive.path, "--place", "near*=local:cpu0", "--place", "far*=local:cpu1", name="within.gplan")
    assert len(transfers_of(genie_tool, within)) == 1
