"""bench/gpu/bench.py counts a goal as reached only where the output is right."""

import importlib.util
import json
import pathlib

import pytest

PATH = pathlib.Path(__file__).parents[1] / "bench" / "gpu" / "bench.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("gpu_bench", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(error, eager_error, ms=1.0, goal_ms=2.0):
    return {"goal_ms": goal_ms, "eager_error": eager_error, "genie": {"ms": ms, "error": error}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (row(3.9e-4, 3.0e-4), "yes"),
        (row(3.9e-4, 3.0e-4, ms=3.0), "no"),
        (row(2.2e-3, 3.0e-4), "wrong"),
        (row(1.6e-7, 0.0), "yes"),
        (row(2e-5, 0.0), "wrong"),
        (row(float("nan"), 3.0e-4), "wrong"),
        ({"goal_ms": 1.0, "genie": {"failed": "no memory"}}, "failed"),
        ({"goal_ms": 1.0}, "failed"),
    ],
)
def test_a_wrong_result_reaches_no_goal(bench, given, expected):
    assert bench.verdict(given) == expected


def test_a_preparation_that_failed_says_why(bench, tmp_path):
    (tmp_path / "log").write_text("Traceback\nRuntimeError: geniec: no such op\n")
    with pytest.raises(RuntimeError, match="geniec: no such op"):
        bench.what_was_prepared(str(tmp_path))
    (tmp_path / "made.json").write_text(json.dumps({"plan": "x"}))
    assert bench.what_was_prepared(str(tmp_path)) == {"plan": "x"}
