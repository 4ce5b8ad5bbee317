"""Archives that other releases of PyTorch wrote (tests/corpus/pt2) compile, and run equal to eager."""

import gzip
import pathlib

import pytest
import safetensors.torch

import parity
from genie import runtime

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "corpus" / "pt2"
ARCHIVES = sorted(CORPUS.glob("torch-*/*.pt2.gz"))


def calls_of(path):
    """[(inputs, outputs)] of the safetensors file beside an archive, in order."""
    calls = {}
    for key, tensor in safetensors.torch.load_file(path).items():
        index, role, name = key.split(".", 2)
        calls.setdefault(int(index), {"in": {}, "out": {}})[role][name] = tensor
    return [(calls[index]["in"], calls[index]["out"]) for index in sorted(calls)]


@pytest.mark.parametrize("packed", ARCHIVES, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_an_archive_of_another_release_runs_equal_to_eager(packed, geniec, tmp_path):
    archive = tmp_path / packed.name.removesuffix(".gz")
    archive.write_bytes(gzip.decompress(packed.read_bytes()))
    plan = archive.with_suffix(".gplan")
    done = geniec(archive, "-o", plan)
    assert done.returncode == 0, done.stderr
    session = runtime.Session(runtime.Model(plan))
    for inputs, expected in calls_of(packed.with_name(packed.name.replace(".pt2.gz", ".safetensors"))):
        results = session.run([inputs[info.name] for info in session.model.inputs()])
        names = [info.name for info in session.model.outputs()]
        parity.assert_equal(dict(zip(names, results, strict=True)), expected)
