"""How well the recognisers' report agrees with labels.toml."""

import dataclasses
import fnmatch
import json
import pathlib
import tomllib

LABELS = pathlib.Path(__file__).with_name("labels.toml")


@dataclasses.dataclass
class Score:
    """Of one model: the class, then labelled ops and how many of them are right."""

    workload: str
    expected: str
    phases: int = 0
    right_phases: int = 0
    modalities: int = 0
    right_modalities: int = 0
    false_decodes: int = 0
    mistakes: list = dataclasses.field(default_factory=list)
    attention: set = dataclasses.field(default_factory=set)
    stacks: list = dataclasses.field(default_factory=list)


def labels():
    return tomllib.loads(LABELS.read_text())


def report(geniec, archive):
    """What `geniec --explain-semantics --json` says of the one entry of an archive."""
    done = geniec(archive, "--explain-semantics", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    (entry,) = json.loads(done.stdout)["entries"]
    return entry


def score(entry, label):
    result = Score(entry["workload"]["class"], label["workload"])
    result.stacks = [stack["layers"] for stack in entry["stacks"]]
    for op in entry["ops"]:
        phase, modality = (op.get(what, {}).get("word", "") for what in ("phase", "modality"))
        expected = next((part[1:] for part in label["parts"] if fnmatch.fnmatch(op["module"], part[0])), ["", ""])
        result.phases += expected[0] != ""
        result.right_phases += expected[0] != "" and phase == expected[0]
        result.modalities += expected[1] != ""
        result.right_modalities += expected[1] != "" and modality == expected[1]
        result.false_decodes += phase == "decode" and "decode" not in [part[1] for part in label["parts"]]
        if "attention" in op:
            result.attention.add(op["attention"]["word"].removesuffix(",cached"))
        if expected[0] not in ("", phase) or expected[1] not in ("", modality):
            result.mistakes.append(f"{op['module']} {op['op']}: {phase or '-'}, {modality or '-'}, expected {expected}")
    return result
