"""Writes the archives of this folder with the PyTorch that runs it: `python make.py FOLDER`, for example torch-2.13.

Needs nothing but PyTorch, so that an old release can run it. NAME.pt2 is what a bare torch.export.save writes.
The repository has it compressed. NAME.safetensors has calls in order: `0.in.x` is input x of the first, `0.out.output0` what eager returns there.
"""

import gzip
import io
import json
import pathlib
import struct
import sys

import torch
from torch import nn
from torch.nn import functional as F

NAMES = {torch.float32: "F32", torch.int64: "I64"}


class Mlp(nn.Module):
    """Two layers, dynamic batch."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 4))

    def forward(self, x):
        return self.layers(x).softmax(-1)


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, mask):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        x = self.first(x + self.out(mixed))
        return self.second(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """A sentence encoder of two layers: embeddings, a padding mask, the mean over tokens."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.words, self.positions, self.norm = nn.Embedding(20, width), nn.Embedding(12, width), nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(2))

    def forward(self, ids, mask):
        x = self.norm(self.words(ids) + self.positions(torch.arange(ids.shape[1])))
        for layer in self.layers:
            x = layer(x, mask[:, None, None, :].bool())
        weight = mask.unsqueeze(-1).to(x.dtype)
        return F.normalize((x * weight).sum(1) / weight.sum(1).clamp(min=1e-9))


class Conv(nn.Module):
    """Convolutions with batch norm, one of them depthwise; pooling; a classifier."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.depthwise, self.out = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Linear(6, 5)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.norm(self.stem(image))), 2)
        return self.out(F.adaptive_avg_pool2d(F.hardswish(self.depthwise(x)), 1).flatten(1))


class Decode(nn.Module):
    """One step of a GPT-2 like decoder that keeps its keys and values in buffers."""

    def __init__(self, width=8, heads=2, length=6):
        super().__init__()
        self.heads, self.words, self.positions = heads, nn.Embedding(20, width), nn.Embedding(length, width)
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("keys", torch.zeros(1, heads, length, width // heads))
        self.register_buffer("values", torch.zeros(1, heads, length, width // heads))

    def forward(self, token, position):
        x = self.words(token) + self.positions(position)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, -1))
        self.keys.index_copy_(2, position, k)
        self.values.index_copy_(2, position, v)
        mask = torch.arange(self.keys.shape[2]) <= position
        mixed = F.scaled_dot_product_attention(q, self.keys, self.values, attn_mask=mask[None, None, None])
        return (x + self.out(mixed.transpose(1, 2).flatten(2))) @ self.words.weight.T


def cases():
    """(name, module, calls, dynamic shapes)"""
    batch = torch.export.Dim("batch", min=1, max=8)
    yield "mlp", Mlp(), [(torch.randn(n, 6),) for n in (3, 1, 8)], {"x": {0: batch}}
    ids, mask = torch.randint(0, 20, (2, 12)), torch.ones(2, 12, dtype=torch.int64)
    mask[1, 7:] = 0
    yield "bert", Bert(), [(ids, mask)], None
    yield "conv", Conv(), [(torch.randn(1, 3, 16, 16),)], None
    yield "decode", Decode(), [(torch.randint(0, 20, (1, 1)), torch.tensor([i])) for i in range(4)], None


def save_tensors(tensors, path):
    header, data = {}, b""
    for name, tensor in tensors.items():
        content = tensor.detach().contiguous().numpy().tobytes()
        header[name] = dict(dtype=NAMES[tensor.dtype], shape=list(tensor.shape), data_offsets=[len(data), len(data) + len(content)])
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(folder, name, module, calls, dynamic_shapes):
    module.eval()
    with torch.no_grad():
        program = torch.export.export(module, calls[0], dynamic_shapes=dynamic_shapes, strict=False)
        torch.export.save(program, folder / f"{name}.pt2")


def expect(folder, name, calls):
    with gzip.open(folder / f"{name}.pt2.gz") as file:
        program = torch.export.load(io.BytesIO(file.read()))
    module, tensors = program.module(), {}
    with torch.no_grad():
        for index, args in enumerate(calls):
            names = program.graph_signature.user_inputs
            tensors.update({f"{index}.in.{name}": value for name, value in zip(names, args)})
            tensors[f"{index}.out.output0"] = module(*args)
    save_tensors(tensors, folder / f"{name}.safetensors")


def main(arguments):
    folder = pathlib.Path(arguments[-1])
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    for name, module, calls, dynamic_shapes in cases():
        if arguments[0] == "--expect":
            expect(folder, name, calls)
        else:
            make(folder, name, module, calls, dynamic_shapes)


if __name__ == "__main__":
    main(sys.argv[1:])
