"""Code for CUDA devices without one: every model compiles to PTX without calls or local memory, and the templates, which
an emulator runs on the CPU, compute what eager PyTorch does."""

import ctypes
import re

import pytest

import archives
import parity
from conformance import op_cases, ops_test
from genie import toolchain
from zoo import models

EMULATED = (
    "linear layer_norm_affine softmax attention_grouped attention_one_query conv2d conv2d_groups max_pool2d "
    "embedding index_copy cumsum topk sum_dim argmax"
).split()


@pytest.mark.parametrize("name", models.MODELS)
def test_a_model_compiles_for_cuda(name, geniec, genie_tool, tmp_path):
    archive, plan = archives.zoo(name).path, tmp_path / "model.gplan"
    done = geniec(archive, "--target", "cuda:sm_80,cuda:sm_90", "-o", plan)
    assert done.returncode == 0, done.stderr[-2000:]
    assert genie_tool("verify", plan).returncode == 0
    text = geniec(archive, "--target", "cuda:sm_90", "--libraries", "none", "--emit", "asm").stdout
    assert ".entry" in text
    assert not re.search(r"^\s*(\.local|call)", text, re.MULTILINE)


@pytest.fixture(scope="module")
def emulator():
    return ctypes.CDLL(str(toolchain.find("lib/libgenie_cuda_emulator_preload.so")))


@pytest.mark.parametrize("name", [name for name in EMULATED if name in op_cases.CASES])
def test_a_template_equals_eager(name, emulator, geniec, tmp_path):
    def plan_of(archive):
        done = geniec(archive, "--target", "cuda:emulated", "-o", tmp_path / "op.gplan")
        assert done.returncode == 0, done.stderr[-2000:]
        return tmp_path / "op.gplan"

    function, inputs = ops_test.load(name)
    parity.assert_equal(ops_test.run(function, inputs, plan_of, tmp_path), ops_test.eager(function, inputs))
