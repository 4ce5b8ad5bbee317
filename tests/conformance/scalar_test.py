"""Every pointwise op of the op table in every dtype that it has, on edge values as well, beside eager PyTorch."""

import math

import pytest
import torch
import torch.nn.functional as F

import parity
from conformance.module_text import Module, tensor_type

FLOATS = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
INTEGERS = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8]
BOOL = [torch.bool]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13, torch.bfloat16: 2.0**-7, torch.float16: 2.0**-9}
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-30, -1e-30, 1e-42, 88.5, 89.5, -87.5, -103.0, -150.0, 1e30]
EDGES += [math.inf, -math.inf, math.nan, 20.5, 3.999, -4.001, 9.1, math.pi, 1000.0, -1000.0, 65504.0, 1e5]

# name: (eager, dtypes, attributes)
UNARY = {
    **{name: (getattr(torch, name), FLOATS, "") for name in (
        "sigmoid tanh exp expm1 log log1p log2 log10 sqrt rsqrt sin cos tan erf reciprocal isinf"
    ).split()},
    **{name: (getattr(torch, name), FLOATS + INTEGERS, "") for name in "abs neg sign floor ceil round trunc relu isnan".split()},
    **{name: (getattr(F, name), FLOATS, "") for name in "silu hardswish hardsigmoid mish".split()},
    "logical_not": (torch.logical_not, FLOATS + INTEGERS + BOOL, ""),
    "bitwise_not": (torch.bitwise_not, INTEGERS + BOOL, ""),
    "gelu": (F.gelu, FLOATS, 'approximate = "none"'),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), FLOATS, 'approximate = "tanh"'),
    "softplus": (lambda x: F.softplus(x, 2.0, 10.0), FLOATS, "beta = 2.0 : f64, threshold = 10.0 : f64"),
    "elu": (lambda x: F.elu(x, 0.7), FLOATS, "alpha = 0.7 : f64, scale = 1.0 : f64, input_scale = 1.0 : f64"),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), FLOATS, "negative_slope = 0.1 : f64"),
    "clamp": (lambda x: x.clamp(1, 3), FLOATS + INTEGERS, "minimum = 1.0 : f64, maximum = 3.0 : f64"),
    "clamp_min": (lambda x: x.clamp(min=2), FLOATS + INTEGERS, "minimum = 2.0 : f64"),
}  # fmt: skip
BINARY = {
    **{name: (getattr(torch, name), FLOATS + INTEGERS + BOOL) for name in (
        "add mul maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor"
    ).split()},
    **{name: (getattr(torch, name), FLOATS + INTEGERS) for name in "sub floor_divide remainder fmod".split()},
    **{name: (getattr(torch, name), INTEGERS + BOOL) for name in "bitwise_and bitwise_or bitwise_xor".split()},
    "div": (torch.div, FLOATS),
    "trunc_divide": (lambda a, b: torch.div(a, b, rounding_mode="trunc"), FLOATS + INTEGERS),
    "pow": (torch.pow, FLOATS),
    "atan2": (torch.atan2, FLOATS),
    "shift_left": (torch.bitwise_left_shift, INTEGERS),
    "shift_right": (torch.bitwise_right_shift, INTEGERS),
}  # fmt: skip
OPS = {"gelu_tanh": "gelu", "clamp_min": "clamp"}
# Angles and remainders of values far beyond their period lose digits in both.
NO_INFINITY = {"gelu", "gelu_tanh"}  # eager's vector code gives NaN
TAME = {"sin", "cos", "tan", "fmod", "remainder", "floor_divide", "trunc_divide", "pow"}


def numbers(dtype, count, seed):
    """Numbers of a dtype, its edge values first."""
    generator = torch.Generator().manual_seed(seed)
    if dtype == torch.bool:
        return torch.randint(0, 2, (count,), generator=generator, dtype=torch.int64) != 0
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        edges = torch.tensor([0, 1, 2, 3, info.min, info.max, info.min + 1])
        return torch.cat([edges, torch.randint(max(info.min, -1000), min(info.max, 1000), (count - 7,), generator=generator)]).to(dtype)
    spread = torch.randn(count - len(EDGES), generator=generator, dtype=torch.float64) * 10.0
    return torch.cat([torch.tensor(EDGES, dtype=torch.float64), spread]).to(dtype)


def assert_close(name, actual, expected, exact):
    """Equal where both are not finite or integers; else within the tolerance of the dtype of each value, or of eager's error."""
    assert actual.dtype == expected.dtype, name
    if not expected.dtype.is_floating_point:
        assert torch.equal(actual, expected), f"{name}: {(actual != expected).nonzero().flatten()[:4].tolist()}"
        return
    ours, theirs, exact = actual.double(), expected.double(), exact.double()
    finite = theirs.isfinite() & ours.isfinite()
    wrong = torch.where(finite, 0.0, (ours.nan_to_num(7.0, 1e300, -1e300) - theirs.nan_to_num(7.0, 1e300, -1e300)).abs())
    # A value beyond the range may round to infinity in one and to the largest number in the other.
    assert not (wrong[theirs.isnan() | (exact.abs() < torch.finfo(expected.dtype).max / 2)] > 0).any(), (
        f"{name}: {ours[wrong > 0][:4].tolist()} instead of {theirs[wrong > 0][:4].tolist()}"
    )
    tolerance = TOLERANCE[expected.dtype]
    allowed = tolerance * exact.abs() + 2 * (theirs - exact).abs() + torch.finfo(expected.dtype).tiny
    if name in NO_INFINITY:  # 1 + erf and 1 + tanh lose digits in eager and in its float64 form
        allowed = allowed + tolerance
    bad = finite & ((ours - exact).abs() > allowed)
    where = bad.nonzero().flatten()[:4]
    assert not bad.any(), f"{name}: {ours[where].tolist()} instead of {exact[where].tolist()} ({theirs[where].tolist()})"


def exact_of(function, *inputs):
    """What the function gives in float64."""
    if not inputs[0].dtype.is_floating_point:
        return function(*inputs)
    return function(*(x.double() for x in inputs))


def check(geniec, folder, rows, options):
    """One module for all rows: (name, op, function, inputs, attributes)."""
    inputs = [x for row in rows for x in row[3]]
    module, next_input = Module(inputs), 0
    for name, op, function, own, attributes in rows:
        operands = [f"%a{next_input + i}" for i in range(len(own))]
        next_input += len(own)
        result = function(*own)
        module.output(*module.op(op, operands, [tensor_type(result.shape, result.dtype)], attributes))
    actual, failures = module.run(geniec, folder, *options), []
    for (name, _, function, own, _), value in zip(rows, actual, strict=True):
        try:
            assert_close(name, value, function(*own), exact_of(function, *own))
        except AssertionError as failure:
            failures.append(str(failure).splitlines()[0])
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + BOOL, ids=str)
def test_unary_ops(dtype, target, geniec, tmp_path):
    rows = []
    for name, (function, dtypes, attributes) in UNARY.items():
        if dtype in dtypes:
            x = numbers(dtype, 300, 1)
            if name in TAME:
                x = x.clamp(-1e4, 1e4)
            if name in NO_INFINITY:
                x = torch.where(x.isinf(), 1.25, x).to(dtype)
            rows.append((name, OPS.get(name, name), function, (x,), attributes))
    check(geniec, tmp_path, rows, ["--target", target])


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS + BOOL, ids=str)
def test_binary_ops(dtype, target, geniec, tmp_path):
    rows = []
    for name, (function, dtypes) in BINARY.items():
        if dtype not in dtypes:
            continue
        a, b = numbers(dtype, 300, 1), numbers(dtype, 300, 2).roll(11)
        if name in TAME and dtype.is_floating_point:
            a, b = a.clamp(-1e4, 1e4), torch.where(b.abs() < 1e-3, torch.tensor(0.75, dtype=dtype), b.clamp(-1e4, 1e4))
        if not dtype.is_floating_point and ("divide" in name or name in TAME):
            b = torch.where(b == 0, 3, b).to(dtype)
        if name.startswith("shift"):
            b = (b % (torch.iinfo(dtype).bits - 1)).to(dtype)
        rows.append((name, name, function, (a, b), ""))
    check(geniec, tmp_path, rows, ["--target", target])


@pytest.mark.parametrize("source", FLOATS + INTEGERS + BOOL, ids=str)
def test_casts(source, geniec, tmp_path):
    rows = []
    for target in FLOATS + INTEGERS + BOOL:
        x = numbers(source, 300, 1)
        if source.is_floating_point and not target.is_floating_point and target != torch.bool:
            x = x.nan_to_num(3.0).clamp(0 if target == torch.uint8 else -100, 100)
        rows.append((f"to {target}", "cast", lambda x, target=target: x.to(target), (x,), ""))
    inputs = [row[3][0] for row in rows]
    module = Module(inputs)
    for i, row in enumerate(rows):
        result = row[2](inputs[i])
        module.output(*module.op("cast", [f"%a{i}"], [tensor_type(result.shape, result.dtype)]))
    for row, value in zip(rows, module.run(geniec, tmp_path), strict=True):
        expected = row[2](*row[3])
        parity.assert_equal([value], [expected], tolerance=0)


def test_powers_with_a_constant_exponent(geniec, tmp_path):
    x = torch.cat([torch.tensor([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]), torch.randn(293) * 4])
    module = Module([x])
    exponents = [2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.0, 0.0, 4.0, 1.7]
    for exponent in exponents:
        (constant,) = module.op("constant", [], ["tensor<f32>"], f"value = dense<{exponent}> : tensor<f32>")
        module.output(*module.op("pow", ["%a0", constant], [tensor_type(x.shape, x.dtype)]))
    for exponent, value in zip(exponents, module.run(geniec, tmp_path), strict=True):
        assert_close(f"pow {exponent}", value, x.pow(exponent), x.double().pow(exponent))
