"""A plan over the CPU and a GPU of one node, or over two GPUs, equals eager: products go to and fro.

    pytest --target cuda:sm_90 tests/device
"""

import pytest
import torch

import archives
import parity
from genie import runtime


def run_alternating(request, geniec, folder, other):
    """Layers 2 and 3 at `other`, the rest on the first GPU."""
    target = request.config.getoption("--target")
    if not target:
        pytest.skip("no GPU is named: --target")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 96), torch.nn.GELU(), torch.nn.Linear(96, 32)
    )
    archive = archives.of_module(folder, module, (torch.randn(5, 64),))
    plan = folder / "mixed.gplan"
    places = [f"--place={layer}=local:{other if layer in (2, 3) else 'cuda0'}" for layer in range(5)]
    done = geniec(archive.path, "-o", plan, "--target", f"host,{target}", *places)
    assert done.returncode == 0, done.stderr
    session = runtime.Session(runtime.Model(plan))
    given, expected = archive.load_call()
    for _ in range(3):
        found = session.run([given[info.name] for info in session.model.inputs()])
        parity.assert_equal(found, list(expected.values()))


def test_layers_alternate_between_cpu_and_gpu(request, geniec, tmp_path):
    run_alternating(request, geniec, tmp_path, "cpu0")


def test_layers_alternate_between_two_gpus(request, geniec, tmp_path):
    if request.config.getoption("--target") and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    run_alternating(request, geniec, tmp_path, "cuda1")
