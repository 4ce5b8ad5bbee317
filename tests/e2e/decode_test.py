"""Decode steps with a static key-value cache: the state advances as eager PyTorch's buffers do."""

import copy

import pytest
import torch

import archives
import cases
import parity
from genie import runtime

STEPS = [5, 6, 7, 511]
REDUCED = dict(layers=2, vocabulary=1000)


@pytest.fixture(params=["gpt2", "llama", "llama_bf16"])
def decoder(request, is_full):
    return request.param, {} if is_full else REDUCED


def step_inputs(position):
    return torch.tensor([[position % 999]]), torch.tensor([position])


def test_steps_equal_eager(decoder, plan_of):
    name, options = decoder
    module, _ = cases.make(name, **options)
    exact = copy.deepcopy(module).double() if name.endswith("bf16") else None
    session = runtime.Session(runtime.Model(plan_of(archives.decoder(name, **options).path)), threads=2)
    with torch.no_grad():
        for position in STEPS:
            (actual,) = session.run(list(step_inputs(position)))
            expected = module(*step_inputs(position))
            if exact is None:
                parity.assert_equal([actual], [expected])
            else:
                parity.assert_as_precise(actual, expected, exact(*step_inputs(position)))
    assert_states(session, module, tolerance=parity.TOLERANCE if exact is None else 2e-2)


def assert_states(session, module, tolerance):
    buffers = dict(module.named_buffers())
    assert len(session.model.states) == 2 * len(module.blocks)
    for info in session.model.states:
        assert parity.difference(session.read_state(info.name), buffers[info.name.removeprefix("state.")]) <= tolerance


def test_state_is_reset_and_restored(plan_of):
    session = runtime.Session(runtime.Model(plan_of(archives.decoder("llama", **REDUCED).path)))
    inputs = list(step_inputs(5))
    (first,) = session.run(inputs)
    name = session.model.states[0].name
    kept = session.read_state(name)
    session.write_state(name, torch.zeros_like(kept))
    (other,) = session.run(inputs)
    assert not torch.equal(first, other)
    session.reset_state()
    (again,) = session.run(inputs)
    assert torch.equal(first, again)
    assert torch.equal(session.read_state(name), kept)
