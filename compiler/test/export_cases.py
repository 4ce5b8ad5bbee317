"""Writes the cases/*.json that the goldens of the import pack into archives: small models through torch.export.

usage: export_cases.py     (needs PyTorch; run it to add a case, the JSON is committed)
"""

import json
import os
import pathlib
import tempfile
import zipfile

import torch
from torch.export import Dim, export, save

CASES = pathlib.Path(__file__).resolve().parent / "cases"
KEPT_METADATA = ("stack_trace", "nn_module_stack", "custom")


class Writes(torch.nn.Module):
    """Writes a buffer, a view of a buffer and an input, as plain exports hold them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(2, 4))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64), persistent=False)

    def forward(self, x, y):
        self.cache[:, 1:3] = x
        self.count.add_(1)
        y.t()[0].mul_(2)
        return self.cache.sum(1)


class Sizes(torch.nn.Module):
    """Dynamic batch and length, sizes computed from them, what the user says of ops, a submodule."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 3)
        torch.nn.init.ones_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, x, mask):
        with torch.fx.traceback.annotate({"genie.phase": "encode", "genie.role": "scorer"}):
            y = self.head(x)
        flat = y.reshape(-1, 3)[1:]
        return {"scores": y.masked_fill(mask.unsqueeze(-1), -1.0), "rows": [flat, torch.arange(x.shape[1])]}


class Tied(torch.nn.Module):
    """One weight under two names, a view of a shared storage, a literal, dtypes that PyTorch promotes."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 2)
        self.head = torch.nn.Linear(2, 5, bias=False)
        self.head.weight = self.embedding.weight
        base = torch.arange(12.0).reshape(3, 4)
        self.register_buffer("column", base[:, 1])
        self.scale = torch.tensor([1.0, 0.5])

    def forward(self, ids):
        x = self.embedding(ids) * self.scale
        return self.head(x), ids / 2, ids * True > 1.5, self.column + ids.sum()


class Gaps(torch.nn.Module):
    """What Genie cannot compile, in several ways."""

    def forward(self, x):
        y = torch.fft.fft(x).abs()
        z = torch.nonzero(x > 0).sum()
        return y + torch.linalg.det(x) + torch.linalg.det(x + 1), z


def prune(model):
    """Leaves only what a reader needs, and no path of this machine."""
    del model["guards_code"]
    for node in model["graph_module"]["graph"]["nodes"]:
        metadata = {key: node["metadata"][key] for key in KEPT_METADATA if key in node["metadata"]}
        if "stack_trace" in metadata:
            lines = metadata["stack_trace"].splitlines()
            frames = [line for line in lines if line.lstrip().startswith("File") and "/torch/" not in line]
            name, _, rest = frames[-1].partition('", line ')
            metadata["stack_trace"] = f'File "{os.path.basename(name)}", line {rest}'
        if "nn_module_stack" in metadata:
            metadata["nn_module_stack"] = metadata["nn_module_stack"].replace("__main__.", "model.")
        node["metadata"] = metadata
    return model


def case_of(path):
    members = {}
    with zipfile.ZipFile(path) as archive:
        for full_name in archive.namelist():
            name, data = full_name.split("/", 1)[1], archive.read(full_name)
            if name.endswith(".json"):
                members[name] = json.loads(data)
            elif name == "archive_format":
                members[name] = "pt2"
            elif name.startswith(("data/weights/", "data/constants/")):
                members[name] = {"hex": data.hex()}
    prune(members["models/model.json"])
    return members


def write(name, module, args, dynamic_shapes=None):
    torch.manual_seed(0)
    with torch.no_grad(), torch.fx.traceback.preserve_node_meta(), tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.pt2"
        save(export(module.eval(), args, dynamic_shapes=dynamic_shapes, strict=False), path)
        text = json.dumps(case_of(path), separators=(",", ":"))
    (CASES / f"{name}.json").write_text(text + "\n")


def main():
    CASES.mkdir(exist_ok=True)
    write("writes", Writes(), (torch.ones(2, 2), torch.ones(3, 2)))
    batch, length = Dim("batch", min=2, max=8), Dim("length", min=2)
    shapes = {"x": {0: batch, 1: length}, "mask": {0: batch, 1: length}}
    write("sizes", Sizes(), (torch.ones(3, 5, 4), torch.zeros(3, 5, dtype=torch.bool)), shapes)
    write("tied", Tied(), (torch.tensor([1, 4, 2]),))
    write("gaps", Gaps(), (torch.ones(4, 4),))


if __name__ == "__main__":
    main()
