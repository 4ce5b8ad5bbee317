"""The tools as a person uses them."""

import json

import numpy
import pytest
import safetensors.torch
import torch

import archives
import parity


@pytest.fixture(scope="session")
def plan(plan_of, mlp):
    return plan_of(mlp.path)


def test_equal_input_gives_equal_bytes(geniec, mlp, tmp_path):
    for name in ("a.gplan", "b.gplan"):
        assert geniec(mlp.path, "-o", tmp_path / name).returncode == 0
    assert (tmp_path / "a.gplan").read_bytes() == (tmp_path / "b.gplan").read_bytes()


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4", "host", "x86-64-v3,x86-64-v4"])
def test_each_target_equals_eager(target, geniec, genie_tool, mlp, tmp_path):
    plan, output = tmp_path / "m.gplan", tmp_path / "o.safetensors"
    assert geniec(mlp.path, "--target", target, "-o", plan).returncode == 0
    done = genie_tool("run", plan, "--inputs", mlp.calls[0][0], "--outputs", output)
    if done.returncode != 0 and "avx512" in done.stderr:
        pytest.skip("this machine has no AVX-512")
    assert done.returncode == 0, done.stderr
    actual, expected = safetensors.torch.load_file(output), safetensors.torch.load_file(mlp.calls[0][1])
    parity.assert_equal(actual, expected)


@pytest.mark.parametrize("level", ["0", "1", "3"])
def test_each_level_equals_eager(level, geniec, genie_tool, tmp_path):
    archive = archives.zoo("bert")
    plan, output = tmp_path / "m.gplan", tmp_path / "o.safetensors"
    done = geniec(archive.path, f"--opt-level={level}", "-o", plan)
    assert done.returncode == 0, done.stderr
    assert genie_tool("run", plan, "--inputs", archive.calls[0][0], "--outputs", output).returncode == 0
    actual, expected = safetensors.torch.load_file(output), safetensors.torch.load_file(archive.calls[0][1])
    parity.assert_equal(actual, expected)


def test_tensors_travel_as_npy(genie_tool, plan, mlp, tmp_path):
    inputs, expected = mlp.load_call()
    numpy.save(tmp_path / "x.npy", inputs["input"].numpy())
    done = genie_tool("run", plan, "--input", "input=@x.npy", "--output", "output0=@y.npy", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    parity.assert_equal([torch.from_numpy(numpy.load(tmp_path / "y.npy"))], [expected["output0"]])


def test_values_are_given_in_the_command(genie_tool, plan_of, tmp_path):
    archive = archives.of_module(tmp_path, torch.nn.ReLU(), (torch.zeros(2, 3),))
    done = genie_tool("run", plan_of(archive.path), "--input", "input=2x3xf32=-1,2,-3,4,-5,6", "--output", "output0=@y.npy", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert numpy.load(tmp_path / "y.npy").tolist() == [[0, 2, 0], [4, 0, 6]]


def test_bench_reports_json(genie_tool, plan, mlp):
    done = genie_tool("bench", plan, "--inputs", mlp.calls[0][0], "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {"min", "median", "p95", "p99"} <= {key.split("_")[0] for key in report}


def test_inspect_prints_the_plan(genie_tool, plan):
    done = genie_tool("inspect", plan)
    assert done.returncode == 0 and "gplan" in done.stdout


def test_verify_accepts_what_geniec_wrote(genie_tool, plan):
    done = genie_tool("verify", plan)
    assert done.returncode == 0, done.stderr


def test_the_depfile_names_the_archive(geniec, mlp, tmp_path):
    done = geniec(mlp.path, "-MD", "-o", tmp_path / "m.gplan")
    assert done.returncode == 0, done.stderr
    (depfile,) = tmp_path.glob("*.d")
    assert "m.gplan" in depfile.read_text() and str(mlp.path) in depfile.read_text()


@pytest.mark.parametrize("stage", ["import", "genie", "plan", "llvm"])
def test_every_stage_is_printed(stage, geniec, mlp):
    done = geniec(mlp.path, f"--emit={stage}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5


def test_a_signed_plan_is_trusted_by_its_key_only(geniec, genie_tool, mlp, plan, tmp_path):
    keys = []
    for name in ("mine", "other"):
        key = tmp_path / f"{name}.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", key)
        openssl("pkey", "-in", key, "-pubout", "-out", tmp_path / f"{name}.pub")
        keys.append(tmp_path / f"{name}.pub")
    signed = tmp_path / "signed.gplan"
    assert geniec(mlp.path, "--sign", tmp_path / "mine.pem", "-o", signed).returncode == 0
    assert genie_tool("verify", signed, "--require-signed", "--trusted-keys", keys[0]).returncode == 0
    assert genie_tool("verify", signed, "--require-signed", "--trusted-keys", keys[1]).returncode == 1
    assert genie_tool("verify", plan, "--require-signed", "--trusted-keys", keys[0]).returncode == 1


def openssl(*arguments):
    import subprocess

    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.parametrize("tool", ["geniec", "genie_tool"])
def test_help_and_version_go_to_stdout(tool, request):
    run = request.getfixturevalue(tool)
    for option in ("--help", "--version"):
        done = run(option)
        assert done.returncode == 0 and done.stdout and not done.stderr
