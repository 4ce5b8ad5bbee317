"""Real models, from PyTorch through geniec and genie, equal eager PyTorch."""

import pytest
import safetensors.torch

import archives
import parity
from genie import runtime
from zoo import models


def run_by_tool(genie_tool, plan, inputs, folder):
    outputs = folder / "outputs.safetensors"
    done = genie_tool("run", plan, "--inputs", inputs, "--outputs", outputs)
    assert done.returncode == 0, done.stderr[-2000:]
    return safetensors.torch.load_file(outputs)


def run_by_session(session, inputs):
    """Outputs by name; `inputs` too."""
    results = session.run([inputs[info.name] for info in session.model.inputs()])
    return {info.name: result for info, result in zip(session.model.outputs(), results, strict=True)}


@pytest.mark.parametrize("name", models.MODELS)
def test_a_model_equals_eager(name, variant, plan_of, genie_tool, tmp_path):
    form, is_full = variant
    archive = archives.zoo(name, form, is_full)
    plan = plan_of(archive.path)
    for inputs, expected in archive.calls:
        parity.assert_equal(run_by_tool(genie_tool, plan, inputs, tmp_path), safetensors.torch.load_file(expected))


@pytest.mark.parametrize("name", ["minilm", "bert_dynamic", "lstm"])
def test_the_python_session_equals_eager(name, plan_of):
    archive = archives.zoo(name)
    session = runtime.Session(runtime.Model(plan_of(archive.path)))
    for index in range(len(archive.calls)):
        inputs, expected = archive.load_call(index)
        parity.assert_equal(run_by_session(session, inputs), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_equals_eager(threads, plan_of):
    archive = archives.zoo("bert")
    inputs, expected = archive.load_call()
    session = runtime.Session(runtime.Model(plan_of(archive.path)), threads=threads)
    for _ in range(2):
        parity.assert_equal(run_by_session(session, inputs), expected)
