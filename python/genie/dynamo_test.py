"""What `torch.compile(..., backend="genie")` promises where Genie does not compile: eager results and one warning."""

import warnings

import pytest
import torch

from genie import dynamo


def run_with_warnings(module, *inputs, grad=False, **options):
    torch._dynamo.reset()
    with warnings.catch_warnings(record=True) as caught, torch.set_grad_enabled(grad):
        warnings.simplefilter("always")
        result = torch.compile(module, backend="genie", **options)(*inputs)
    return result, [str(entry.message) for entry in caught if entry.category is dynamo.GenieWarning]


def assert_eager(module, inputs, says, **options):
    with torch.no_grad():
        expected = module(*inputs)
    result, messages = run_with_warnings(module, *inputs, **options)
    assert torch.equal(result, expected)
    assert len(messages) == 1 and says in messages[0]


def test_the_backend_is_found_by_its_name():
    assert "genie" in torch._dynamo.list_backends(exclude_tags=())


def test_gradients_fall_back():
    assert_eager(torch.nn.Linear(3, 3), (torch.randn(2, 3),), "torch.no_grad()", grad=True)


def test_dynamic_shapes_fall_back():
    assert_eager(torch.nn.Linear(3, 3), (torch.randn(2, 3),), "dynamic=False", dynamic=True)


def test_an_unknown_option_is_named():
    assert_eager(torch.nn.Linear(3, 3), (torch.randn(2, 3),), "unknown option colour", options={"colour": "x"})


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count.add_(1)
        return x + self.count


def test_written_buffers_fall_back():
    module = Counter()
    result, messages = run_with_warnings(module, torch.zeros(1))
    assert result.item() == 1 and module.count.item() == 1
    assert len(messages) == 1 and "in place" in messages[0]


def test_a_missing_geniec_falls_back(monkeypatch, tmp_path):
    monkeypatch.setattr(dynamo.compiled.toolchain, "_homes", lambda: iter([str(tmp_path)]))
    assert_eager(torch.nn.Linear(3, 3), (torch.randn(2, 3),), "GENIE_HOME")
