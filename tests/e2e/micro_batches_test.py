"""A batch over two devices, split into micro-batches, computes what the whole batch does."""

import json

import pytest
import torch

import archives
import parity
from e2e.places_test import compile_to
from e2e.zoo_test import run_by_session
from genie import runtime
from zoo import models


@pytest.fixture
def two_devices(tmp_path):
    """A pool of this process: two devices that a placement by cost may use."""
    device = {"kind": "cpu", "flops_per_s": {"f32": 1e9}, "memory_bytes_per_s": 1e9, "launch_ns": 1000}
    pool = {"version": 1, "nodes": [{"name": "local", "devices": [device | {"name": "cpu0"}, device | {"name": "cpu1"}]}]}
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(pool))
    return path


def batch_of_four(name, folder):
    """A member of the zoo whose inputs have four items."""
    if name in ("minilm", "t5_encoder"):
        return archives.zoo(name), 2
    case = models.make(name)
    inputs = tuple(torch.randn(4, *value.shape[1:]) for value in case.args)
    return archives.of_module(folder, case.module, inputs), 4


@pytest.mark.parametrize("name", ["minilm", "t5_encoder", "vit", "resnet50"])
def test_micro_batches_equal_the_whole_batch(name, geniec, two_devices, tmp_path):
    archive, count = batch_of_four(name, tmp_path)
    inputs, expected = archive.load_call()
    plan = compile_to(geniec, tmp_path, archive.path, "--pool", two_devices, "--micro-batches", str(count))
    parity.assert_equal(run_by_session(runtime.Session(runtime.Model(plan)), inputs), expected)


def test_a_batch_that_cannot_be_split_says_why(geniec, two_devices, tmp_path):
    class Centred(torch.nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True)

    archive = archives.of_module(tmp_path, Centred(), (torch.randn(4, 8),))
    done = geniec(archive.path, "-o", tmp_path / "x.gplan", "--pool", two_devices, "--micro-batches", "2")
    assert done.returncode == 1 and "--micro-batches=2: the batch cannot be split: genie.mean" in done.stderr
