"""Bad input gets one clear line that names the place, exit status 1, and no partial output file."""

import json
import os
import pathlib
import pickle
import stat
import subprocess
import zipfile

import pytest
import safetensors.torch
import torch

import archives
from genie import toolchain


def assert_refused(done, *says, status=1):
    assert done.returncode == status, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    for text in says:
        assert text in lines[0], lines[0]


def rewritten(archive, path, change):
    """A copy of the archive in which `change(name, bytes)` gives each member's bytes, or None to drop it."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            data = change(info.filename.partition("/")[2], source.read(info))
            if data is not None:
                target.writestr(info.filename, data)
    return path


def with_model(archive, path, change):
    """A copy whose models/model.json went through `change`, which edits the parsed document in place."""

    def edit(name, data):
        if name != "models/model.json":
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return rewritten(archive, path, edit)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch executed",)


def empty(path, mlp):
    path.write_bytes(b"")


def text(path, mlp):
    path.write_text("this is no archive\n" * 50)


def truncated(path, mlp):
    path.write_bytes(mlp.path.read_bytes()[:5000])


def no_directory(path, mlp):
    path.write_bytes(mlp.path.read_bytes()[:-30])


def pickled(path, mlp):
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("archive/data.pkl", pickle.dumps(Bomb()))
        target.writestr("archive/version", "3\n")


def newer_schema(path, mlp):
    with_model(mlp.path, path, lambda document: document["schema_version"].update(major=99))


def no_graph(path, mlp):
    with_model(mlp.path, path, lambda document: document.pop("graph_module"))


def json_garbage(path, mlp):
    rewritten(mlp.path, path, lambda name, data: data[:700] if name == "models/model.json" else data)


def deep_json(path, mlp):
    rewritten(mlp.path, path, lambda name, data: b"[" * 2_000_000 if name == "models/model.json" else data)


def missing_weight(path, mlp):
    rewritten(mlp.path, path, lambda name, data: None if name == "data/weights/weight_0" else data)


def short_weight(path, mlp):
    rewritten(mlp.path, path, lambda name, data: data[:64] if name == "data/weights/weight_0" else data)


def huge_weight(path, mlp):
    def change(name, data):
        if not name.endswith("model_weights_config.json"):
            return data
        document = json.loads(data)
        for entry in document["config"].values():
            entry["tensor_meta"]["sizes"] = [{"as_int": 2**40}, {"as_int": 2**40}]
        return json.dumps(document).encode()

    rewritten(mlp.path, path, change)


def pickled_weight(path, mlp):
    def change(name, data):
        return data.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("weights_config.json") else data

    rewritten(mlp.path, path, change)


def unknown_input(path, mlp):
    def change(document):
        node = document["graph_module"]["graph"]["nodes"][0]
        node["inputs"][0]["arg"] = {"as_tensor": {"name": "nowhere"}}

    with_model(mlp.path, path, change)


BAD_ARCHIVES = [
    empty, text, truncated, no_directory, pickled, newer_schema, no_graph, json_garbage, deep_json, missing_weight, short_weight,
    huge_weight, pickled_weight, unknown_input,
]  # fmt: skip


@pytest.mark.parametrize("make", BAD_ARCHIVES, ids=lambda make: make.__name__)
def test_geniec_refuses_a_bad_archive(make, geniec, mlp, tmp_path):
    path = tmp_path / "bad.pt2"
    make(path, mlp)
    done = geniec(path.name, "-o", "out.gplan", folder=tmp_path)
    assert_refused(done, "bad.pt2")
    assert os.listdir(tmp_path) == ["bad.pt2"], "no output and nothing executed"


def test_geniec_names_a_missing_file(geniec, tmp_path):
    assert_refused(geniec("nowhere.pt2", "-o", "out.gplan", folder=tmp_path), "nowhere.pt2")
    assert not os.listdir(tmp_path)


def test_geniec_names_an_unwritable_output(geniec, mlp, tmp_path):
    assert_refused(geniec(mlp.path, "-o", tmp_path / "missing" / "out.gplan"), "missing")
    assert not os.listdir(tmp_path)


def test_geniec_writes_text_into_a_pipe_and_does_not_replace_it(geniec, mlp, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = geniec(mlp.path, "--emit=layout", "-o", pipe)
        text = os.read(reader, 65536)
    finally:
        os.close(reader)
    assert done.returncode == 0, done.stderr
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    assert b"genie.kernel" in text


def test_geniec_refuses_to_replace_what_is_not_a_file(geniec, mlp, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert_refused(geniec(mlp.path, "-o", pipe), "pipe", "not a regular file")
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_geniec_leaves_no_partial_file_on_a_full_disk(geniec, mlp):
    assert_refused(geniec(mlp.path, "-o", "/dev/full"), "/dev/full")


@pytest.mark.parametrize("option", ["--output=", "--explain=html:"])
def test_geniec_never_overwrites_its_input(option, geniec, mlp, tmp_path):
    copy = tmp_path / "model.pt2"
    copy.write_bytes(mlp.path.read_bytes())
    assert_refused(geniec("model.pt2", f"{option}{copy}", folder=tmp_path), "model.pt2", "is the input", status=2)
    assert copy.read_bytes() == mlp.path.read_bytes() and os.listdir(tmp_path) == ["model.pt2"]


def test_geniec_names_a_dynamic_size_that_the_model_lacks(geniec, mlp, tmp_path):
    assert_refused(geniec(mlp.path, "--max-symbol=s99=4", "-o", tmp_path / "out.gplan"), "--max-symbol=s99=4")
    assert not os.listdir(tmp_path)


def on_a_small_disk(tool, *arguments, folder, limit_bytes=4096):
    """Runs a tool where no file may grow beyond a size."""
    command = f"ulimit -f {limit_bytes // 1024}; trap '' XFSZ; exec \"$@\""
    full = ["bash", "-c", command, "bash", toolchain.find(f"bin/{tool}"), *map(str, arguments)]
    return subprocess.run(full, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("option", [[], ["--emit=llvm"]], ids=["plan", "text"])
def test_geniec_leaves_nothing_where_the_disk_is_too_small(option, mlp, tmp_path):
    assert_refused(on_a_small_disk("geniec", mlp.path, *option, "-o", "out", folder=tmp_path), "out: cannot")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("option", [["--outputs", "out"], ["--output", "output0=@out"]], ids=["safetensors", "npy"])
def test_genie_leaves_nothing_where_the_disk_is_too_small(option, plan_of, tmp_path):
    archive = archives.of_module(tmp_path, torch.nn.Identity(), (torch.zeros(40, 50),))
    arguments = ["run", plan_of(archive.path), "--inputs", archive.calls[0][0]]
    before = sorted(os.listdir(tmp_path))
    assert_refused(on_a_small_disk("genie", *arguments, *option, folder=tmp_path), "cannot write out")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_device_is_written_to_and_never_replaced(geniec, mlp, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root makes device nodes")
    device = tmp_path / "full"
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 7))
    assert_refused(geniec(mlp.path, "--emit=genie", "-o", device), "full")
    assert geniec(mlp.path, "-o", device).returncode == 1
    assert stat.S_ISCHR(device.stat().st_mode) and os.listdir(tmp_path) == ["full"]


def test_wrong_usage_is_exit_status_2(geniec, genie_tool):
    assert geniec("--no-such-option").returncode == 2
    assert genie_tool("no-such-command").returncode == 2
    assert geniec().returncode == 2


class Gaps(torch.nn.Module):
    def forward(self, x):
        y = torch.fft.fft(x).real
        return y + torch.linalg.det(torch.eye(3)) + torch.fft.fft(y).real


def test_check_lists_every_gap_in_one_pass(geniec, tmp_path):
    archive = archives.of_module(tmp_path, Gaps(), (torch.randn(4, 4),), form="raw")
    done = geniec("--check", archive.path, folder=tmp_path)
    assert done.returncode == 1
    report = done.stdout + done.stderr
    assert "fft" in report and "det" in report and pathlib.Path(__file__).name in report


def test_check_of_a_good_model_is_quiet(geniec, mlp):
    done = geniec("--check", mlp.path)
    assert done.returncode == 0, done.stderr


def test_check_reports_json(geniec, tmp_path):
    archive = archives.of_module(tmp_path, Gaps(), (torch.randn(4, 4),), form="raw")
    done = geniec("--check", "--json", archive.path)
    assert done.returncode == 1
    assert "fft" in json.dumps(json.loads(done.stdout))


@pytest.fixture(scope="session")
def plan(plan_of, mlp):
    return plan_of(mlp.path)


@pytest.mark.parametrize("keep", [0, 10, 4096, 0.5, 0.999])
def test_genie_refuses_a_truncated_plan(keep, genie_tool, plan, mlp, tmp_path):
    data = plan.read_bytes()
    bad = tmp_path / "bad.gplan"
    bad.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    assert_refused(genie_tool("run", bad, "--inputs", mlp.calls[0][0], "--outputs", tmp_path / "o.safetensors"), "bad.gplan")
    assert_refused(genie_tool("verify", bad), "bad.gplan")
    assert os.listdir(tmp_path) == ["bad.gplan"]


def test_genie_survives_a_flipped_byte(genie_tool, plan, mlp, tmp_path):
    data = bytearray(plan.read_bytes())
    bad = tmp_path / "bad.gplan"
    for position in range(0, min(len(data), 65536), 1777):
        data[position] ^= 0xFF
        bad.write_bytes(data)
        assert genie_tool("verify", bad).returncode in (0, 1)
        data[position] ^= 0xFF


def test_genie_names_a_missing_input(genie_tool, plan):
    assert_refused(genie_tool("run", plan), "input")


def test_genie_names_a_wrong_shape(genie_tool, plan):
    assert_refused(genie_tool("run", plan, "--input", "input=1x2xf32=1,2"), "input", "3")


def test_genie_names_a_wrong_dtype(genie_tool, plan, tmp_path):
    inputs = tmp_path / "in.safetensors"
    safetensors.torch.save_file({"input": torch.zeros(3, 64, dtype=torch.int64)}, inputs)
    assert_refused(genie_tool("run", plan, "--inputs", inputs), "input", "f32")


def test_genie_names_an_unknown_input(genie_tool, plan, mlp):
    assert_refused(genie_tool("run", plan, "--inputs", mlp.calls[0][0], "--input", "other=1xf32=1"), "other")


def test_genie_leaves_no_partial_output(genie_tool, plan, mlp, tmp_path):
    done = genie_tool("run", plan, "--inputs", mlp.calls[0][0], "--outputs", tmp_path / "missing" / "o.safetensors")
    assert_refused(done, "missing")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, (2**60).to_bytes(8, "little") + b"{}", b"\x02" + bytes(7) + b"[]"])
def test_genie_refuses_bad_safetensors(content, genie_tool, plan, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(content)
    assert_refused(genie_tool("run", plan, "--inputs", bad), "bad.safetensors")


def test_a_mismatch_is_exit_status_1(genie_tool, plan, mlp, tmp_path):
    expected = safetensors.torch.load_file(mlp.calls[0][1])
    wrong = tmp_path / "wrong.safetensors"
    safetensors.torch.save_file({name: tensor + 1 for name, tensor in expected.items()}, wrong)
    run = "run", plan, "--inputs", mlp.calls[0][0], "--rtol", "1e-4", "--atol", "1e-5"
    assert genie_tool(*run, "--expect", mlp.calls[0][1]).returncode == 0
    assert genie_tool(*run, "--expect", wrong).returncode == 1


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.0, float("nan"), float("inf"), -float("inf")]))

    def forward(self, x):
        return torch.relu(x * self.scale)


def test_nan_and_inf_in_weights_pass_through(plan_of, genie_tool, tmp_path):
    archive = archives.of_module(tmp_path, Scale(), (torch.tensor([[1.0, 2.0, 3.0, 4.0]]),))
    output = tmp_path / "o.safetensors"
    done = genie_tool("run", plan_of(archive.path), "--inputs", archive.calls[0][0], "--outputs", output)
    assert done.returncode == 0, done.stderr
    (actual,) = safetensors.torch.load_file(output).values()
    (expected,) = safetensors.torch.load_file(archive.calls[0][1]).values()
    assert torch.equal(actual.nan_to_num(7.0), expected.nan_to_num(7.0))
