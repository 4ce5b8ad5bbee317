"""Ops that move, reduce, sort and scatter, in the dtypes that they have and on the shapes that their kernels tell apart."""

import pytest
import torch

import parity
from conformance.module_text import Module, tensor_type
from conformance.scalar_test import FLOATS, INTEGERS, numbers

ALL = FLOATS + INTEGERS + [torch.bool]


def filled(shape, dtype, seed=1):
    count = 1
    for size in shape:
        count *= size
    if dtype.is_floating_point:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return numbers(dtype, max(count, 40), seed).roll(17)[:count].reshape(shape)


def array(values):
    values = list(values)
    return f"array<i64: {', '.join(map(str, values))}>" if values else "array<i64>"


def i64(value):
    return f"{value} : i64"


def run(geniec, folder, inputs, ops, *options):
    """`ops` are (name, operand positions, expected results, attributes)."""
    module, expected = Module(inputs), []
    for name, operands, results, attributes in ops:
        types = [tensor_type(result.shape, result.dtype) for result in results]
        module.output(*module.op(name, [f"%a{i}" for i in operands], types, attributes))
        expected += results
    actual = module.run(geniec, folder, *options)
    assert len(actual) == len(expected)
    return list(zip([name for name, _, results, _ in ops for _ in results], actual, expected, strict=True))


def assert_same(triples, tolerance=0.0):
    for name, actual, expected in triples:
        assert actual.dtype == expected.dtype, name
        if expected.dtype.is_floating_point:
            assert parity.difference(actual, expected) <= tolerance, f"{name}: {parity.difference(actual, expected):.1e}"
        else:
            assert torch.equal(actual, expected), name


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_views_and_gathers(dtype, geniec, tmp_path):
    x = filled((3, 5, 8), dtype)
    index = torch.tensor([4, 0, 2, 2])
    many = torch.randint(0, 5, (3, 4, 8), generator=torch.Generator().manual_seed(3))
    pair = (torch.tensor([2, 0, 1]), torch.tensor([4, -1, 3]))
    start = "affine_map<() -> (1)>"
    padded = torch.zeros(3, 8, 11, dtype=dtype)
    padded[:, :5, 2:10] = x
    ops = [
        ("reshape", [0], [x.reshape(15, 2, 4)], ""),
        ("permute", [0], [x.permute(2, 0, 1).contiguous()], f"permutation = {array([2, 0, 1])}"),
        ("slice", [0], [x[:, 1:5:2]], f"axis = 1 : i64, start = {start}, step = 2 : i64"),
        ("flip", [0], [x.flip(0, 2)], f"axes = {array([0, 2])}"),
        ("concat", [0, 0], [torch.cat([x, x], 1)], "axis = 1 : i64"),
        ("concat", [0, 0], [torch.cat([x, x], 2)], "axis = 2 : i64"),
        ("pad", [0], [padded],
         f'low = {array([0, 0, 2])}, high = {array([0, 3, 1])}, value = 0.0 : f64, mode = "constant"'),
        ("take", [0, 1], [x.index_select(1, index)], "axis = 1 : i64"),
        ("gather", [0, 2], [x.gather(1, many)], "axis = 1 : i64"),
        ("index", [0, 3, 4], [x[pair[0], pair[1]]], f"axes = {array([0, 1])}"),
    ]  # fmt: skip
    assert_same(run(geniec, tmp_path, [x, index, many, *pair], ops))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", [(4, 37, 40), (2, 300, 5), (3, 1, 1000)], ids=str)
def test_float_reductions(dtype, shape, geniec, tmp_path):
    x = filled(shape, dtype)
    ops = []
    for axes in [(2,), (1,), (0,), (1, 2), (0, 1), (0, 2), (0, 1, 2)]:
        for name in "sum mean amax amin var".split():
            if name == "var" and all(shape[axis] == 1 for axis in axes):
                continue
            keepdim = len(axes) == 2
            reference = getattr(torch, name)(x.double(), axes, keepdim=keepdim).to(dtype)
            ops.append((name, [0], [reference], f"axes = {array(axes)}, keepdim = {str(keepdim).lower()}"))
    for axis in range(3):
        ops.append(("softmax", [0], [x.double().softmax(axis).to(dtype)], f"axis = {axis} : i64"))
        ops.append(("log_softmax", [0], [x.double().log_softmax(axis).to(dtype)], f"axis = {axis} : i64"))
        ops.append(("argmax", [0], [x.argmax(axis)], f"axes = {array([axis])}, keepdim = false"))
        ops.append(("argmin", [0], [x.argmin(axis, keepdim=True)], f"axes = {array([axis])}, keepdim = true"))
        ops.append(("cumsum", [0], [x.double().cumsum(axis).to(dtype)], f"axis = {axis} : i64"))
    tolerance = {torch.float64: 1e-12, torch.float32: 2e-6}.get(dtype, 2 * torch.finfo(dtype).eps)
    assert_same(run(geniec, tmp_path, [x], ops), tolerance)


@pytest.mark.parametrize("dtype", INTEGERS + [torch.bool], ids=str)
def test_integer_reductions(dtype, geniec, tmp_path):
    x = filled((3, 7, 20), dtype)
    ops = []
    for axes in [(2,), (1,), (0, 1)]:
        attributes = f"axes = {array(axes)}, keepdim = false"
        if dtype != torch.bool:
            ops.append(("sum", [0], [x.sum(axes).to(dtype)], attributes))
            ops.append(("amax", [0], [x.amax(axes)], attributes))
            ops.append(("amin", [0], [x.amin(axes)], attributes))
        if len(axes) == 1:
            ops.append(("any", [0], [x.any(axes[0]).bool()], attributes))
            ops.append(("all", [0], [x.all(axes[0]).bool()], attributes))
            if dtype != torch.bool:
                ops.append(("argmax", [0], [x.argmax(axes[0])], attributes))
    if dtype == torch.int64:
        ops.append(("cumsum", [0], [x.cumsum(1)], "axis = 1 : i64"))
    assert_same(run(geniec, tmp_path, [x], ops))


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_sorts(dtype, geniec, tmp_path):
    x = filled((3, 200, 4), dtype)
    if dtype.is_floating_point:
        x = (x * 4).round() / 4  # with equal elements
        x[0, 5, 1] = float("nan")
    ops = []
    for axis in range(3):
        for descending in [False, True]:
            values, indices = torch.sort(x, dim=axis, descending=descending, stable=True)
            ops.append(("sort", [0], [values, indices], f"axis = {axis} : i64, descending = {str(descending).lower()}"))
    for k, largest in [(3, True), (100, False)]:
        values, indices = torch.sort(x, dim=1, descending=largest, stable=True)
        results = [values[:, :k].contiguous(), indices[:, :k].contiguous()]
        ops.append(("topk", [0], results, f"k = {k} : i64, axis = 1 : i64, largest = {str(largest).lower()}"))
    assert_same(run(geniec, tmp_path, [x], ops))


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_scatters(dtype, geniec, tmp_path):
    x, source = filled((3, 6, 8), dtype), filled((3, 2, 8), dtype, 2)
    index = torch.tensor([4, 1])
    many = torch.stack([torch.randperm(6, generator=torch.Generator().manual_seed(i))[:2] for i in range(24)])
    many = many.reshape(3, 8, 2).permute(0, 2, 1).contiguous()
    rows, value = torch.tensor([5, 0, 5]), filled((3, 3, 8), dtype, 3)
    corner, few = many[:2, :, :5].contiguous(), source[:2, :, :5].contiguous()
    window = x.clone()
    window[:, 1:5:2] = source
    ops = [
        ("index_copy", [0, 1, 2], [x.index_copy(1, index, source)], "axis = 1 : i64"),
        ("scatter", [0, 3, 2], [x.scatter(1, many, source)], 'axis = 1 : i64, reduce = "replace"'),
        ("scatter", [0, 6, 7], [x.scatter(1, corner, few)], 'axis = 1 : i64, reduce = "replace"'),
        ("index_put", [0, 5, 4], [put(x, rows, value)], f"axes = {array([1])}, accumulate = false"),
        ("slice_scatter", [0, 2], [window], "axis = 1 : i64, start = affine_map<() -> (1)>, step = 2 : i64"),
    ]  # fmt: skip
    if dtype != torch.bool:
        added = x.clone()
        for j, row in enumerate(rows.tolist()):
            added[:, row] += value[:, j]
        ops.append(("index_put", [0, 5, 4], [added], f"axes = {array([1])}, accumulate = true"))
    tolerance = 4 * torch.finfo(dtype).eps if dtype.is_floating_point else 0
    assert_same(run(geniec, tmp_path, [x, index, source, many, rows, value, corner, few], ops), tolerance)


def put(x, rows, value):
    result = x.clone()
    for j, row in enumerate(rows.tolist()):
        result[:, row] = value[:, j]
    return result


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bags(dtype, mode, geniec, tmp_path):
    table = filled((11, 72), dtype)
    index = torch.randint(0, 11, (13,), generator=torch.Generator().manual_seed(0))
    offsets, square = torch.tensor([0, 4, 4, 9]), index[:12].reshape(4, 3)
    bag = torch.nn.functional.embedding_bag
    exact = table.double()
    common = f'mode = "{mode}", include_last_offset = false, padding_index = -1 : i64'
    ops = [
        ("embedding_bag", [0, 1, 2], [bag(index, exact, offsets, mode=mode).to(dtype)],
         f"{common}, operandSegmentSizes = array<i32: 1, 1, 1, 0>"),
        ("embedding_bag", [0, 3], [bag(square, exact, mode=mode).to(dtype)],
         f"{common}, operandSegmentSizes = array<i32: 1, 1, 0, 0>"),
        ("embedding", [0, 3], [table[square]], ""),
    ]  # fmt: skip
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6 if dtype == torch.float32 else torch.finfo(dtype).eps
    assert_same(run(geniec, tmp_path, [table, index, offsets, square], ops), tolerance)
