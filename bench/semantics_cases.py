"""The cases of `./x bench semantics`: models, inputs, nodes, and how the client calls them."""

import importlib.util
import pathlib

import torch
from torch import nn

import cases

ROOT = pathlib.Path(__file__).resolve().parent.parent


class GreedyStep(nn.Module):
    """One step of greedy generation: the next token follows from the last one and the model's cache."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, position):
        logits = self.model(ids, position)
        return logits[:, -1].argmax(-1, keepdim=True)


def vqa():
    spec = importlib.util.spec_from_file_location("vqa", ROOT / "examples" / "02-vqa" / "vqa.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make(), module.inputs()


def generation():
    model, _ = cases.make("gpt2")
    for block in model.blocks:
        block.key_cache.zero_()
        block.value_cache.zero_()
    return GreedyStep(model).eval(), (torch.tensor([[7]]), torch.tensor([0]))


def resnet50():
    return cases.make("resnet50")


def dlrm():
    return cases.make("dlrm")


# name: (maker, how it is called, calls of a turn, calls of a turn where weights travel, objective, nodes)
CASES = {
    "vqa": (vqa, "calls", 3, 1, "latency", 2),
    "generation": (generation, "generate", 50, 2, "latency", 1),
    "pipeline": (resnet50, "stream", 16, 2, "throughput", 2),
    "dlrm": (dlrm, "calls", 20, 3, "latency", 2),
}


def make(name):
    torch.manual_seed(0)
    return CASES[name][0]()
