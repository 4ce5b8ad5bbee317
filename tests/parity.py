"""How results are compared with eager PyTorch's."""

import torch

TOLERANCE = 1e-5  # of float32, relative to the largest value of the output


def difference(actual, expected):
    """The largest absolute difference, relative to the largest finite value of `expected`; NaN and Inf must be equal."""
    actual, expected = actual.to(torch.float64), expected.to(torch.float64)
    assert actual.shape == expected.shape, f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
    finite = expected.isfinite()
    assert torch.equal(finite, actual.isfinite())
    assert torch.equal(actual[~finite].nan_to_num(7.0), expected[~finite].nan_to_num(7.0))
    if not finite.any():
        return 0.0
    scale = expected[finite].abs().max().clamp(min=1e-30)
    return ((actual[finite] - expected[finite]).abs().max() / scale).item()


def assert_equal(actual, expected, tolerance=TOLERANCE):
    """Both are tensors by name, or lists of them: integers and booleans equal, floats within the tolerance."""
    actual, expected = (value if isinstance(value, dict) else dict(enumerate(value)) for value in (actual, expected))
    assert set(actual) == set(expected)
    for name, right in expected.items():
        left = actual[name]
        assert left.dtype == right.dtype, f"output {name} is {left.dtype}, expected {right.dtype}"
        if right.dtype.is_floating_point:
            found = difference(left, right)
            assert found <= tolerance, f"output {name} differs by {found:.2e} of its largest value"
        else:
            assert torch.equal(left, right), f"output {name} differs"


def assert_as_precise(actual, eager, exact):
    """Low precision: the error against a float64 reference is at most 1.5 times eager's own (plus one rounding)."""
    rounding = torch.finfo(eager.dtype).eps if eager.dtype != torch.float32 else 2.0**-8
    ours, own = difference(actual, exact), difference(eager, exact)
    assert ours <= 1.5 * own + rounding / 4, f"error {ours:.2e}, eager's own {own:.2e}"
