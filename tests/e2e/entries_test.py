"""A plan of several entries that share states: every call sees what the calls before it left."""

import pytest
import torch

from genie import runtime

MODULE = """
genie.state @total : tensor<2x2xf32>
genie.state @other : tensor<2x2xf32>
func.func @step(%c: tensor<2x2xf32> {genie.state = @total}, %u: tensor<2x2xf32> {genie.input = "u"})
    -> (tensor<2x2xf32> {genie.output = "z"}) {
  %0 = genie.add %c, %u : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  genie.state_update %0, @total : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
func.func @exchange(%c: tensor<2x2xf32> {genie.state = @total}, %o: tensor<2x2xf32> {genie.state = @other}) {
  genie.state_update %o, @total : tensor<2x2xf32>
  genie.state_update %c, @other : tensor<2x2xf32>
  return
}
func.func @replace(%c: tensor<2x2xf32> {genie.state = @total}, %v: tensor<2x2xf32> {genie.input = "v"})
    -> (tensor<2x2xf32> {genie.output = "before"}) {
  genie.state_update %v, @total : tensor<2x2xf32>
  return %c : tensor<2x2xf32>
}
"""


@pytest.fixture
def call(plan_of, tmp_path):
    (tmp_path / "entries.mlir").write_text(MODULE)
    model = runtime.Model(plan_of(tmp_path / "entries.mlir"))
    session = runtime.Session(model)
    return lambda entry, *inputs: session.run(list(inputs), entry=model.find_entry(entry))


def test_a_state_is_carried_from_call_to_call(call):
    for expected in (1.0, 2.0, 3.0):
        assert torch.equal(call("step", torch.ones(2, 2))[0], torch.full((2, 2), expected))


def test_two_states_exchange_their_values(call):
    call("step", torch.ones(2, 2))
    call("exchange")
    assert torch.equal(call("step", torch.full((2, 2), 5.0))[0], torch.full((2, 2), 5.0))
    call("exchange")
    assert torch.equal(call("step", torch.ones(2, 2))[0], torch.full((2, 2), 2.0))


def test_an_output_holds_the_value_before_an_update(call):
    call("step", torch.ones(2, 2))
    assert torch.equal(call("replace", torch.full((2, 2), 7.0))[0], torch.ones(2, 2))
    assert torch.equal(call("replace", torch.zeros(2, 2))[0], torch.full((2, 2), 7.0))
