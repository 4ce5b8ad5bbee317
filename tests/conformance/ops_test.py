"""Every op of the op table, compiled alone, equals eager PyTorch; some in float64 and in 16-bit floats as well."""

import pytest
import torch
from torch.utils import _pytree as pytree

import archives
import parity
from conformance import op_cases
from genie import runtime


class Op(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def load(name, dtype=None):
    torch.manual_seed(0)
    function, make_inputs = op_cases.CASES[name]
    inputs = tuple(tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor for tensor in make_inputs())
    return function, inputs


def run(function, inputs, plan_of, folder, form="sel"):
    archive = archives.of_module(folder, Op(function), inputs, form=form)
    session = runtime.Session(runtime.Model(plan_of(archive.path)), threads=2)
    given, _ = archive.load_call()
    return session.run([given[info.name] for info in session.model.inputs()])


def eager(function, inputs):
    return [leaf.contiguous() for leaf in pytree.tree_leaves(function(*inputs))]


@pytest.mark.parametrize("name", op_cases.CASES)
def test_an_op_equals_eager(name, plan_of, tmp_path):
    function, inputs = load(name)
    parity.assert_equal(run(function, inputs, plan_of, tmp_path), eager(function, inputs))


@pytest.mark.parametrize("name", op_cases.LOW_PRECISION)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=["f64", "bf16", "f16"])
def test_an_op_in_other_precisions(name, dtype, plan_of, tmp_path):
    function, inputs = load(name, dtype)
    actual, expected = run(function, inputs, plan_of, tmp_path), eager(function, inputs)
    if dtype == torch.float64:
        parity.assert_equal(actual, expected, tolerance=1e-7)
        return
    exact = eager(function, [tensor.double() if tensor.is_floating_point() else tensor for tensor in inputs])
    for triple in zip(actual, expected, exact, strict=True):
        parity.assert_as_precise(*triple)
