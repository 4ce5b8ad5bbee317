"""Every op of the op table, compiled alone, equals eager PyTorch; some in float64 and in 16-bit floats as well."""

import pytest
import torch
import torch.nn.functional as F
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


READS = {
    "embedding": lambda x, i: F.embedding(i, x),
    "index": lambda x, i: x[i],
    "gather": lambda x, i: x.gather(0, i[:, None].expand(-1, 2)),
    "index_select": lambda x, i: x.index_select(0, i),
}


@pytest.mark.parametrize("name", READS)
def test_an_index_outside_reads_the_nearest_element(name, plan_of, tmp_path):
    x, inside, outside = torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1]), torch.tensor([5, -9])
    archive = archives.of_module(tmp_path, Op(READS[name]), (x, inside))
    session = runtime.Session(runtime.Model(plan_of(archive.path)))
    (result,) = session.run([x, outside])
    assert torch.equal(result, x[[2, 0]])


@pytest.mark.parametrize("name", ["index_copy", "index_add", "scatter"])
def test_an_index_outside_writes_the_nearest_element(name, plan_of, tmp_path):
    x, update, outside = torch.zeros(3, 2), torch.ones(2, 2), torch.tensor([5, -9])

    def write(x, i):
        return x.scatter(0, i[:, None].expand(-1, 2), update) if name == "scatter" else getattr(x, name)(0, i, update)

    archive = archives.of_module(tmp_path, Op(write), (x, torch.tensor([0, 1])))
    (result,) = runtime.Session(runtime.Model(plan_of(archive.path))).run([x, outside])
    assert torch.equal(result, torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]))


def test_an_integer_divided_by_zero_is_zero(plan_of, tmp_path):
    x, one = torch.tensor([7, -7]), torch.tensor([1, 1])
    archive = archives.of_module(tmp_path, Op(lambda a, b: (a // b, a % b)), (x, one))
    for result in runtime.Session(runtime.Model(plan_of(archive.path))).run([x, torch.zeros_like(one)]):
        assert result.tolist() == [0, 0]


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
