"""Genie from Python: genie.compile, sessions, and the backend of torch.compile."""

import gc
import warnings

import pytest
import torch

import genie
import parity
from genie import dynamo, runtime


class Two(torch.nn.Module):
    """Keyword arguments in, a dictionary with a constant out."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)

    def forward(self, x, *, scale, shift=None):
        y = self.linear(x) * scale
        return {"y": y if shift is None else y + shift, "none": None, "pair": (y.sum(-1), 7)}


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x):
        self.total.add_(x)
        return self.total * 2


def perceptron():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4)).eval()


def same(actual, expected):
    leaves, spec = torch.utils._pytree.tree_flatten(actual)
    wanted, wanted_spec = torch.utils._pytree.tree_flatten(expected)
    assert spec == wanted_spec
    tensors = [(a, b) for a, b in zip(leaves, wanted) if isinstance(b, torch.Tensor)]
    parity.assert_equal(*zip(*tensors))
    assert [a for a in leaves if not isinstance(a, torch.Tensor)] == [b for b in wanted if not isinstance(b, torch.Tensor)]


def test_a_compiled_model_has_the_modules_signature():
    module = Two().eval()
    x, scale = torch.randn(3, 8), torch.randn(4)
    compiled = genie.compile(module, (x,), dict(scale=scale, shift=None))
    with torch.no_grad():
        same(compiled(x, scale=scale, shift=None), module(x, scale=scale))


def test_other_shapes_are_compiled_once():
    module = perceptron()
    compiled = genie.compile(module, (torch.randn(2, 8),))
    with torch.no_grad():
        for size in (2, 5, 2, 5):
            x = torch.randn(size, 8)
            same(compiled(x), module(x))
    assert len(compiled.sessions) == 2


def test_dynamic_shapes_take_one_plan():
    module = perceptron()
    compiled = genie.compile(module, (torch.randn(2, 8),), dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=64)},))
    with torch.no_grad():
        for size in (1, 2, 33, 64):
            x = torch.randn(size, 8)
            same(compiled(x), module(x))
    assert len(compiled.sessions) == 1
    with pytest.raises(genie.GenieError, match="64"):
        compiled(torch.randn(65, 8))


def test_views_are_taken_as_inputs():
    module = perceptron()
    compiled = genie.compile(module, (torch.randn(3, 8),))
    wide = torch.randn(8, 7)
    with torch.no_grad():
        same(compiled(wide.t()[1:4]), module(wide.t()[1:4]))
        same(compiled(wide.t().contiguous()[3:6]), module(wide.t()[3:6]))


def test_results_stay_when_the_model_runs_again_or_ends():
    module = perceptron()
    x, y = torch.randn(2, 3, 8)
    compiled = genie.compile(module, (x,))
    with torch.no_grad():
        first, expected = compiled(x), module(x)
    compiled(y)
    del compiled
    gc.collect()
    same(first, expected)


def test_state_lives_in_the_compiled_model():
    module = Counter().eval()
    compiled = genie.compile(module, (torch.ones(3),))
    same(compiled(torch.ones(3)), torch.full((3,), 2.0))
    same(compiled(torch.ones(3)), torch.full((3,), 4.0))
    assert module.total.sum() == 0


def test_wrong_inputs_are_named(plan_of, mlp):
    session = runtime.Session(runtime.Model(plan_of(mlp.path)))
    with pytest.raises(genie.GenieError, match="input"):
        session.run([])
    with pytest.raises(genie.GenieError, match="input"):
        session.run([torch.zeros(1, 2)])
    with pytest.raises(genie.GenieError, match="f32"):
        session.run([torch.zeros(3, 64, dtype=torch.int64)])
    with pytest.raises(genie.GenieError, match="nowhere"):
        session.read_state("nowhere")


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(genie.GenieError, match="nowhere.gplan"):
        genie.Model(tmp_path / "nowhere.gplan")


def run_compiled(module, *inputs):
    torch._dynamo.reset()
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        result = torch.compile(module, backend="genie", dynamic=False)(*inputs)
    return result, [str(entry.message) for entry in caught if entry.category is dynamo.GenieWarning]


class Shared(torch.nn.Module):
    """Tied weights, a buffer, a submodule's parameters: all are weights of the plan, none an input."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 8)
        self.norm = torch.nn.LayerNorm(8)
        self.register_buffer("bias", torch.randn(11))

    def forward(self, tokens):
        return torch.nn.functional.linear(self.norm(self.embedding(tokens)), self.embedding.weight) + self.bias


@pytest.mark.parametrize("module, x", [(perceptron(), torch.randn(3, 8)), (Shared().eval(), torch.randint(0, 11, (2, 5)))])
def test_torch_compile_equals_eager(module, x):
    result, messages = run_compiled(module, x)
    assert not messages
    with torch.no_grad():
        same(result, module(x))


class Unsupported(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.det(x) + 1


def test_an_unsupported_op_falls_back_with_its_name():
    x = torch.randn(3, 3)
    result, messages = run_compiled(Unsupported(), x)
    assert torch.equal(result, torch.linalg.det(x) + 1)
    assert len(messages) == 1 and "det" in messages[0]
