"""Random graphs of views, joins, pointwise ops and reductions equal eager: fusion and index arithmetic in combination."""

import random

import pytest
import torch

from conformance.module_text import Module, tensor_type
from conformance.rearranging_test import array

SHAPES = [[2, 3, 4, 8], [6, 20], [4, 5, 12], [2, 60], [3, 4, 16]]
ELEMENTWISE = {"add": torch.add, "mul": torch.mul, "sub": torch.sub, "maximum": torch.maximum}
MOST_ELEMENTS = 40000


class Graph:
    """A module that grows by random ops, with the value that eager gives to each of its results."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        shape = self.random.choice(SHAPES)
        inputs = [torch.randn(s) for s in (shape, shape, shape[-1:], [1] * (len(shape) - 1) + shape[-1:])]
        self.module = Module(inputs)
        self.values = [(f"%a{i}", x) for i, x in enumerate(inputs)]
        self.first = len(inputs)

    def emit(self, op, operands, result, attributes=""):
        (name,) = self.module.op(op, operands, [tensor_type(result.shape, result.dtype)], attributes)
        self.values.append((name, result.contiguous()))

    def grow(self):
        recent = self.random.random() < 0.7
        name, x = self.random.choice(self.values[-4:] if recent else self.values)
        if x.numel() <= MOST_ELEMENTS:
            self.random.choice(GROWTHS)(self, name, x)

    def others(self, fits):
        return [(name, value) for name, value in self.values if fits(value)]


def elementwise(graph, name, x):
    def fits(value):
        skipped = x.dim() - value.dim()
        return skipped >= 0 and all(b in (1, a) for a, b in zip(x.shape[skipped:], value.shape))

    other, value = graph.random.choice(graph.others(fits))
    op = graph.random.choice(list(ELEMENTWISE))
    graph.emit(op, [name, other], ELEMENTWISE[op](x, value))


def tanh(graph, name, x):
    graph.emit("tanh", [name], x.tanh())


def permute(graph, name, x):
    order = graph.random.sample(range(x.dim()), x.dim())
    graph.emit("permute", [name], x.permute(order), f"permutation = {array(order)}")


def reshape(graph, name, x):
    rest, shape = x.numel(), []
    for _ in range(graph.random.randint(0, 2)):
        factors = [factor for factor in (2, 3, 4, 5) if rest % factor == 0]
        if factors:
            shape.append(graph.random.choice(factors))
            rest //= shape[-1]
    shape.append(rest)
    graph.random.shuffle(shape)
    if graph.random.random() < 0.3:
        shape.insert(graph.random.randint(0, len(shape)), 1)
    graph.emit("reshape", [name], x.reshape(shape))


def slice_(graph, name, x):
    axis = graph.random.randrange(x.dim())
    if x.shape[axis] >= 3:
        step, start = graph.random.choice([1, 2]), graph.random.randrange(0, x.shape[axis] - 1)
        count = max(1, (x.shape[axis] - start - 1) // step)
        picked = torch.arange(start, start + count * step, step)[:count]
        attributes = f"axis = {axis} : i64, start = affine_map<() -> ({start})>, step = {step} : i64"
        graph.emit("slice", [name], x.index_select(axis, picked), attributes)


def concat(graph, name, x):
    axis = graph.random.randrange(x.dim())

    def fits(value):
        pairs = enumerate(zip(x.shape, value.shape))
        return value.dim() == x.dim() and all(d == axis or a == b for d, (a, b) in pairs)

    pieces = [(name, x), *graph.random.choices(graph.others(fits), k=graph.random.randint(1, 2))]
    joined = torch.cat([value for _, value in pieces], axis)
    graph.emit("concat", [piece for piece, _ in pieces], joined, f"axis = {axis} : i64")


def pad(graph, name, x):
    low = [graph.random.randint(0, 2) for _ in x.shape]
    high = [graph.random.randint(0, 1) for _ in x.shape]
    sides = [side for d in reversed(range(x.dim())) for side in (low[d], high[d])]
    attributes = f'low = {array(low)}, high = {array(high)}, value = 0.5 : f64, mode = "constant"'
    graph.emit("pad", [name], torch.nn.functional.pad(x, sides, value=0.5), attributes)


def flip(graph, name, x):
    axis = graph.random.randrange(x.dim())
    graph.emit("flip", [name], x.flip(axis), f"axes = {array([axis])}")


def softmax(graph, name, x):
    axis = graph.random.randrange(x.dim())
    graph.emit("softmax", [name], x.softmax(axis), f"axis = {axis} : i64")


def mean(graph, name, x):
    axes = sorted(graph.random.sample(range(x.dim()), graph.random.randint(1, x.dim())))
    keepdim = graph.random.random() < 0.5
    attributes = f"axes = {array(axes)}, keepdim = {str(keepdim).lower()}"
    graph.emit("mean", [name], x.mean(axes, keepdim=keepdim), attributes)


def layer_norm(graph, name, x):
    if x.shape[-1] >= 3:
        attributes = "normalized_rank = 1 : i64, eps = 1.0e-3 : f64, operandSegmentSizes = array<i32: 1, 0, 0>"
        graph.emit("layer_norm", [name], torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-3), attributes)


def expand(graph, name, x):
    ones = [d for d in range(x.dim()) if x.shape[d] == 1]
    if ones:
        shape = list(x.shape)
        shape[graph.random.choice(ones)] = graph.random.randint(2, 5)
        graph.emit("expand", [name], x.expand(shape))


NEEDS_DIMENSIONS = [slice_, concat, concat, pad, flip, softmax, mean, layer_norm]


def unless_scalar(growth):
    return lambda graph, name, x: growth(graph, name, x) if x.dim() > 0 else None


GROWTHS = [elementwise, elementwise, elementwise, tanh, permute, reshape, reshape, expand]
GROWTHS += [unless_scalar(growth) for growth in NEEDS_DIMENSIONS]


@pytest.mark.parametrize("seed", range(24))
def test_a_random_graph_equals_eager(seed, geniec, tmp_path):
    graph = Graph(seed)
    for _ in range(graph.random.randint(5, 14)):
        graph.grow()
    outputs = graph.values[graph.first :][-graph.random.randint(1, 4) :]
    if not outputs:
        pytest.skip("a graph without an op")
    graph.module.output(*(name for name, _ in outputs))
    for (name, expected), actual in zip(outputs, graph.module.run(geniec, tmp_path), strict=True):
        # Absolute for values near 1: a difference of equal numbers has no scale of its own.
        scale = max(1.0, expected.abs().max().item())
        assert (actual - expected).abs().max().item() <= 1e-5 * scale, name
