"""What `genie.export` promises about the graphs it captures."""

import os
import subprocess
import sys

import pytest
import torch

import genie


def ops(program):
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


class Attention(torch.nn.Module):
    def forward(self, q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v)


class Cache(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 4, 8))

    def forward(self, position, row):
        self.cache.index_copy_(1, position, row)
        return self.cache.sum(1)


class Phased(torch.nn.Module):
    def forward(self, x):
        with genie.annotate(phase="decode"):
            return torch.relu(x)


def test_composites_stay_whole():
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
    names = ops(genie.export(layer, (torch.randn(1, 5, 16),)))
    assert {"aten.linear.default", "aten.layer_norm.default", "aten.gelu.default"} <= set(names)
    assert "aten.scaled_dot_product_attention.default" in names


def test_inputs_that_are_one_tensor_stay_apart():
    x = torch.randn(1, 2, 3, 4)
    program = genie.export(Attention(), (x, x, x))
    attention = next(node for node in program.graph.nodes if "scaled_dot" in str(node.target))
    assert len({argument.name for argument in attention.args[:3]}) == 3


def test_a_write_to_a_buffer_is_named_by_the_signature():
    module = Cache()
    program = genie.export(module, (torch.tensor([1]), torch.ones(1, 1, 8)))
    assert list(program.graph_signature.buffers_to_mutate.values()) == ["cache"]
    assert not any(name.rpartition(".")[0].endswith("_") for name in ops(program))
    assert module.cache.sum() == 0, "export must not run the model's writes"


def test_annotations_survive():
    program = genie.export(Phased(), (torch.randn(3),))
    notes = [node.meta.get("custom", {}) for node in program.graph.nodes if node.op == "call_function"]
    assert {"genie.phase": "decode"}.items() <= notes[0].items()


def test_training_mode_is_restored():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5)).train()
    module[1].eval()
    genie.export(module, (torch.randn(1, 2),))
    assert module.training and module[0].training and not module[1].training


def test_dynamic_sizes_keep_their_ranges(tmp_path):
    batch = torch.export.Dim("batch", min=1, max=8)
    path = tmp_path / "model.pt2"
    genie.export(torch.nn.Linear(4, 4), (torch.randn(2, 4),), dynamic_shapes=({0: batch},), path=path)
    (bounds,) = torch.export.load(path).range_constraints.values()
    assert (bounds.lower, bounds.upper) == (1, 8)


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    program = genie.export(torch.nn.Linear(4, 4), (torch.randn(2, 4),))
    monkeypatch.setattr(torch.export, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        genie.save(program, tmp_path / "model.pt2")
    assert not os.listdir(tmp_path)


def run_command(*arguments, folder):
    return subprocess.run([sys.executable, "-m", "genie.export", *arguments], cwd=folder, capture_output=True, text=True)


def test_the_command_exports_what_a_factory_returns(tmp_path):
    (tmp_path / "factory.py").write_text(
        "import torch\n"
        "def make():\n"
        "    return torch.nn.Linear(4, 2), (torch.zeros(1, 4),)\n"
    )
    done = run_command("factory:make", "-o", "linear.pt2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert torch.export.load(tmp_path / "linear.pt2").graph_signature.user_inputs == ("input",)


@pytest.mark.parametrize("source, says", [("nowhere:make", "nowhere"), ("json:make", "make"), ("json", "MODULE:FUNCTION")])
def test_the_command_names_what_is_wrong(tmp_path, source, says):
    done = run_command(source, "-o", "m.pt2", folder=tmp_path)
    assert done.returncode in (1, 2) and says in done.stderr and "Traceback" not in done.stderr
    assert not os.listdir(tmp_path)


def limited_export(folder, limit_bytes):
    """Runs the command where no file may grow beyond a size: to a writer that is a full disk."""
    (folder / "small.py").write_text("import torch\n\ndef make():\n    return torch.nn.Linear(400, 40), (torch.randn(1, 400),)\n")
    command = f"ulimit -f {limit_bytes // 1024}; trap '' XFSZ; exec {sys.executable} -m genie.export small:make -o out.pt2"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    done = limited_export(tmp_path, 32 << 10)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "out.pt2" in done.stderr and "too large" in done.stderr, done.stderr
    assert not list(tmp_path.glob("*.pt2"))


def test_others_may_read_what_the_command_writes(tmp_path):
    done = limited_export(tmp_path, 1 << 20)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.pt2").stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing/out.pt2"):
        genie.export(torch.nn.ReLU(), (torch.ones(2),), path=tmp_path / "missing" / "out.pt2")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
