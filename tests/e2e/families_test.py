"""The models of zoo/families.py run as eager PyTorch does: six of them always, all with --all."""

import safetensors.torch

import archives
import parity


def test_a_family_member_equals_eager(family_member, plan_of, genie_tool, tmp_path):
    archive = archives.family_member(family_member)
    inputs, expected = archive.calls[0]
    outputs = tmp_path / "outputs.safetensors"
    done = genie_tool("run", plan_of(archive.path), "--inputs", inputs, "--outputs", outputs)
    assert done.returncode == 0, done.stderr[-2000:]
    parity.assert_equal(safetensors.torch.load_file(outputs), safetensors.torch.load_file(expected))
