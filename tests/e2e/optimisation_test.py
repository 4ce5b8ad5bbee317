"""Fusion, layouts and rewrites change no result: a module compiled without them and with them computes the same."""

import numpy
import pytest
import safetensors.numpy

import random_graphs


@pytest.mark.parametrize("seed", range(12))
def test_optimised_equals_plain(seed, geniec, genie_tool, tmp_path):
    graph = random_graphs.Graph(seed, steps=24)
    (tmp_path / "m.mlir").write_text(graph.text())
    (numpy.random.default_rng(seed).standard_normal(4096) * 0.2).astype("f4").tofile(tmp_path / "w.bin")
    safetensors.numpy.save_file(graph.inputs, tmp_path / "in.safetensors")
    for level in ("0", "2"):
        done = geniec("m.mlir", "--opt-level", level, "-o", f"{level}.gplan", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    run = ["--inputs", "in.safetensors", "--threads", "2"]
    assert genie_tool("run", "0.gplan", *run, "--outputs", "y.safetensors", folder=tmp_path).returncode == 0
    done = genie_tool("run", "2.gplan", *run, "--expect", "y.safetensors", "--rtol", "1e-4", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
