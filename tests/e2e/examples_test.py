"""The examples that need Python print what their expected-output.txt says; ctest runs those in C."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(path, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("python", "bench"))}
    done = subprocess.run([sys.executable, path, tmp_path], capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, (path.parent / "expected-output.txt").read_text()


def test_the_encoder_prints_the_similarities_that_it_promises(tmp_path):
    printed, expected = run(ROOT / "examples" / "01-encoder" / "demo.py", tmp_path)
    assert expected in printed  # times and addresses follow


@pytest.mark.parametrize("script", ["02-vqa/two_nodes.py", "03-vision-pipeline/pipeline.py", "04-recommender/tables.py"])
def test_an_example_prints_what_it_promises(script, tmp_path):
    printed, expected = run(ROOT / "examples" / script, tmp_path)
    assert printed == expected
