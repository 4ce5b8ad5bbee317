"""What the recognisers say of the models of zoo/families.py is what their labels say.

With --all, over all families: at least 95 % of the models get the right class, 90 % of the labelled ops the right phase and
the right modality, and no op outside of a decode step is called decode.
"""

import json

import pytest
import torch

import archives
import genie
from zoo import families, recognition


def measure(geniec, name):
    return recognition.score(recognition.report(geniec, archives.family_member(name).path), recognition.labels()[name])


def test_a_member_is_what_its_label_says(family_member, geniec):
    score, label = measure(geniec, family_member), recognition.labels()[family_member]
    assert score.workload == score.expected
    assert score.right_phases >= 0.9 * score.phases, score.mistakes[:5]
    assert score.right_modalities >= 0.9 * score.modalities, score.mistakes[:5]
    assert score.false_decodes == 0, score.mistakes[:5]
    assert set(label.get("attention", [])) <= score.attention
    assert set(label.get("stacks", [])) <= set(score.stacks)


def test_the_families_reach_the_marks(geniec, is_full, capsys):
    if not is_full:
        pytest.skip("measured with --all")
    scores = {name: measure(geniec, name) for name in families.MODELS}
    assert len(scores) >= 32 and len(families.FAMILIES) >= 10
    right = sum(score.workload == score.expected for score in scores.values())
    ops = {what: sum(getattr(score, what) for score in scores.values())
           for what in ("phases", "right_phases", "modalities", "right_modalities", "false_decodes")}  # fmt: skip
    with capsys.disabled():
        print(f"\nrecognised: {right} of {len(scores)} models, {ops['right_phases']} of {ops['phases']} phases, "
              f"{ops['right_modalities']} of {ops['modalities']} modalities, {ops['false_decodes']} false decodes")  # fmt: skip
    assert right >= 0.95 * len(scores)
    assert ops["right_phases"] >= 0.9 * ops["phases"]
    assert ops["right_modalities"] >= 0.9 * ops["modalities"]
    assert ops["false_decodes"] == 0


def test_every_member_has_a_label():
    assert set(recognition.labels()) == set(families.MODELS)


class Retriever(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)

    def forward(self, x):
        with genie.annotate(phase="encode", modality="text", role="retriever"):
            x = self.first(x)
        return self.second(x.relu())


def test_the_users_word_stands_and_spreads(geniec, tmp_path):
    archive = archives.of_module(tmp_path, Retriever(), (torch.randn(2, 8),))
    done = geniec(archive.path, "--explain-semantics", "--json")
    assert done.returncode == 0, done.stderr
    ops = {op["module"]: op for op in json.loads(done.stdout)["entries"][0]["ops"]}
    assert [ops["first"][what]["word"] for what in ("phase", "modality", "role")] == ["encode", "text", "retriever"]
    assert ops["first"]["phase"]["is_said"] and not ops["second"]["phase"]["is_said"]
    assert [ops["second"][what]["word"] for what in ("phase", "modality")] == ["encode", "text"]


def test_a_phase_reaches_the_kernels(geniec, tmp_path):
    done = geniec(archives.family_member("llama_step").path, "--emit=fuse")
    kernels = [line for line in done.stdout.splitlines() if "genie.kernel " in line]
    assert kernels and all('genie.phase = "decode"' in line for line in kernels)


@pytest.mark.parametrize("library, message", [("/nonexistent.so", "cannot be loaded"), ("libm.so.6", "defines neither genie_plugin_recognisers() nor genie_plugin_policies()")])
def test_a_plugin_that_is_none_is_refused(library, message, geniec, mlp):
    done = geniec(mlp.path, "--plugin", library, "--explain-semantics")
    assert done.returncode == 1
    assert f"--plugin={library}" in done.stderr and message in done.stderr
