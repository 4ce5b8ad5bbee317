"""One row an op: its name, a function of tensors, and its inputs. Inputs are made from a seed when a test asks for them.

A row is small but not square: sizes differ from each other and from the width of a vector, so that a swapped dimension or
a forgotten remainder shows.
"""

import torch
import torch.nn.functional as F


def floats(*shapes, low=-3.0, high=3.0, dtype=torch.float32):
    """Makers of inputs: uniform floats of these shapes."""
    return lambda: tuple((low + (high - low) * torch.rand(shape)).to(dtype) for shape in shapes)


def positive(*shapes):
    return floats(*shapes, low=0.1, high=4.0)


def unit(*shapes):
    return floats(*shapes, low=-0.99, high=0.99)


def integers(*shapes, low=-9, high=10, dtype=torch.int64):
    return lambda: tuple(torch.randint(low, high, shape, dtype=dtype) for shape in shapes)


def booleans(*shapes):
    return lambda: tuple(torch.rand(shape) < 0.5 for shape in shapes)


def joined(*makers):
    return lambda: tuple(tensor for maker in makers for tensor in maker())


def indices(high, *shape):
    return lambda: (torch.randint(0, high, shape),)


def grouped_mm(x, weight, ends):
    """The product of a mixture's experts as transformers calls it."""
    import transformers.integrations.moe  # noqa: F401 defines the op

    return torch.ops.transformers.grouped_mm_fallback(x, weight, ends)


def groups(*ends):
    return lambda: (torch.tensor(ends, dtype=torch.int32),)


X = (5, 37)

UNARY = {
    **{name: (getattr(torch, name), floats(X)) for name in (
        "relu sigmoid tanh exp expm1 abs neg sign sin cos tan erf floor ceil round trunc reciprocal isnan isinf square erfc atan"
    ).split()},
    **{name: (getattr(torch, name), positive(X)) for name in "log log1p log2 log10 sqrt rsqrt".split()},
    **{name: (getattr(F, name), floats((4, 33))) for name in
       "silu gelu mish hardswish hardsigmoid softplus elu leaky_relu relu6 selu celu logsigmoid hardtanh".split()},
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), floats(X)),
    "glu": (lambda x: F.glu(x, -1), floats((3, 10))),
    "clamp": (lambda x: x.clamp(-1, 1.5), floats(X)),
    "clamp_min": (lambda x: x.clamp(min=0.5), floats(X)),
    "logical_not": (torch.logical_not, booleans(X)),
    "bitwise_not": (torch.bitwise_not, integers(X)),
    "exp_large": (torch.exp, floats(X, low=-120.0, high=88.0)),
    "tanh_large": (torch.tanh, floats(X, low=-30.0, high=30.0)),
    "sin_large": (torch.sin, floats(X, low=-1000.0, high=1000.0)),
    "nan_to_num": (lambda x: torch.nan_to_num(x / x.round(), 1.0, 2.0, 3.0), floats(X)),
}  # fmt: skip

BINARY = {
    **{name: (getattr(torch, name), floats(X, X)) for name in "add sub mul div maximum minimum atan2 eq lt le gt ge ne".split()},
    **{f"{name}_broadcast": (getattr(torch, name), floats((5, 1, 7), (3, 1))) for name in "add sub mul div maximum".split()},
    **{f"{name}_integers": (getattr(torch, name), integers(X, X)) for name in "add sub mul eq lt maximum".split()},
    **{name: (getattr(torch, name), integers(X, X)) for name in "bitwise_and bitwise_or bitwise_xor".split()},
    **{name: (getattr(torch, name), booleans(X, X)) for name in "logical_and logical_or logical_xor".split()},
    "add_alpha": (lambda x, y: torch.add(x, y, alpha=2.5), floats(X, X)),
    "scalars": (lambda x: (x + 1) * 2 - 0.5 / (3 - x / 7), floats(X)),
    "rsub": (lambda x: 3 - x, floats(X)),
    "pow": (torch.pow, positive(X, X)),
    "pow_scalars": (lambda x: (x**2, x**3, x**0.5, x**-1, 2.0**x), positive(X)),
    "fmod": (torch.fmod, floats(X, X)),
    "remainder": (torch.remainder, floats(X, X)),
    "floor_divide": (lambda x, y: x // y, joined(integers(X), integers(X, low=1))),
    "remainder_integers": (lambda x, y: x % y, joined(integers(X), integers(X, low=1))),
    "div_floor": (lambda x, y: torch.div(x, y, rounding_mode="floor"), joined(floats(X), positive(X))),
    "div_trunc": (lambda x, y: torch.div(x, y, rounding_mode="trunc"), joined(floats(X), positive(X))),
    "shifts": (lambda x: (x << 2, x >> 1), integers(X)),
    "where": (torch.where, joined(booleans(X), floats(X, X))),
    "masked_fill": (lambda x, m: x.masked_fill(m, -1e9), joined(floats(X), booleans(X))),
    "promotion": (lambda x, y: x + y, joined(floats(X), integers(X))),
    "integer_division": (lambda x, y: x / y, joined(integers(X), integers(X, low=1))),
    "addcmul": (lambda x, y, z: torch.addcmul(x, y, z, value=0.3), floats(X, X, X)),
    "addcdiv": (lambda x, y, z: torch.addcdiv(x, y, z, value=0.3), joined(floats(X, X), positive(X))),
    "lerp": (lambda x, y: torch.lerp(x, y, 0.3), floats(X, X)),
}

CASTS = {
    f"cast_{str(a)[6:]}_{str(b)[6:]}": (lambda x, b=b: x.to(b), maker)
    for a, maker in {
        torch.float32: floats(X), torch.float64: floats(X, dtype=torch.float64), torch.float16: floats(X, dtype=torch.float16),
        torch.bfloat16: floats(X, dtype=torch.bfloat16), torch.int64: integers(X), torch.int32: integers(X, dtype=torch.int32),
        torch.int8: integers(X, dtype=torch.int8), torch.uint8: integers(X, low=0, dtype=torch.uint8), torch.bool: booleans(X),
    }.items()
    for b in (torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool)
    if a != b
}  # fmt: skip

VIEWS = {
    "reshape": (lambda x: x.reshape(7, -1) + 1, floats((5, 7, 3))),
    "permute": (lambda x: x.permute(2, 0, 1) * 2, floats((5, 7, 3))),
    "permute_reshape": (lambda x: x.transpose(1, 2).reshape(5, -1), floats((5, 7, 3))),
    "expand": (lambda x: x.expand(4, 5, 3) + 0, floats((5, 1))),
    "slice": (lambda x: x[1:4, ::3], floats((5, 17))),
    "slice_negative": (lambda x: x[-3:, :-2], floats((5, 17))),
    "select": (lambda x: x[:, 2], floats((5, 7, 3))),
    "flip": (lambda x: x.flip(0, 2), floats((5, 7, 3))),
    "concat": (lambda x, y: torch.cat([x, y, x], 1), floats((3, 5), (3, 4))),
    "stack": (lambda x, y: torch.stack([x, y], 1), floats((3, 5), (3, 5))),
    "split": (lambda x: x.split([2, 3, 5], 1), floats((3, 10))),
    "chunk": (lambda x: [part * 2 for part in x.chunk(3, -1)], floats((3, 10))),
    "unbind": (lambda x: x.unbind(1), floats((3, 4, 2))),
    "pad": (lambda x: F.pad(x, (1, 2, 3, 0), value=0.5), floats((4, 5))),
    "roll": (lambda x: x.roll((1, -2), (0, 1)), floats((4, 5))),
    "repeat": (lambda x: x.repeat(2, 3), floats((4, 5))),
    "repeat_interleave": (lambda x: x.repeat_interleave(3, 1), floats((4, 5))),
    "unsqueeze_squeeze": (lambda x: x.unsqueeze(1).squeeze(0) + 1, floats((1, 5))),
    "tril": (torch.tril, floats((5, 7))),
    "triu": (lambda x: x.triu(1), floats((5, 7))),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), floats((2, 8, 3, 5))),
    "unfold": (lambda x: x.unfold(1, 3, 2), floats((4, 9))),
    "returned_input": (lambda x: (x, x + 1, x), floats((4, 9))),
    "constant_output": (lambda x: (x + 1, torch.arange(6).reshape(2, 3)), floats((4, 9))),
    "returned_view": (lambda x: x.t(), floats((4, 9))),
}

LOOKUPS = {
    "gather": (lambda x, i: x.gather(1, i), joined(floats((4, 9)), indices(9, 4, 6))),
    "index_select": (lambda x, i: x.index_select(1, i), joined(floats((4, 9, 2)), indices(9, 5))),
    "index": (lambda x, i: x[i], joined(floats((6, 9)), indices(6, 2, 3))),
    "index_two": (lambda x, i, j: x[i, j], joined(floats((6, 9, 2)), indices(6, 5), indices(9, 5))),
    "index_inner": (lambda x, i: x[:, i], joined(floats((6, 9, 2)), indices(9, 4))),
    "index_copy": (lambda x, i, v: x.index_copy(1, i, v), joined(floats((3, 8)), lambda: (torch.tensor([6, 1]),), floats((3, 2)))),
    "index_put": (lambda x, i, v: x.index_put((i,), v), joined(floats((8, 3)), lambda: (torch.tensor([6, 1]),), floats((2, 3)))),
    "index_put_add": (lambda x, i, v: x.index_put((i,), v, True), joined(floats((8, 3)), lambda: (torch.tensor([6, 1, 6]),), floats((3, 3)))),
    "histc": (lambda x: torch.histc(x, bins=7, min=-2, max=2.5), floats((8, 5))),
    "index_add": (lambda x, i, v: x.index_add(0, i, v), joined(floats((8, 3)), lambda: (torch.tensor([6, 1, 6]),), floats((3, 3)))),
    "scatter": (lambda x, i, v: x.scatter(1, i, v), joined(floats((3, 8)), lambda: (torch.tensor([[6, 1], [0, 2], [7, 3]]),), floats((3, 2)))),
    "scatter_add": (lambda x, i, v: x.scatter_add(1, i, v), joined(floats((3, 8)), indices(8, 3, 5), floats((3, 5)))),
    "slice_scatter": (lambda x, v: torch.slice_scatter(x, v, 1, 2, 5), floats((3, 8), (3, 3))),
    "select_scatter": (lambda x, v: torch.select_scatter(x, v, 1, 2), floats((3, 8), (3,))),
    "embedding": (lambda w, i: F.embedding(i, w), joined(floats((11, 6)), indices(11, 2, 5))),
    "embedding_bag_sum": (lambda w, i, o: F.embedding_bag(i, w, o, mode="sum"), joined(floats((11, 6)), indices(11, 9), lambda: (torch.tensor([0, 2, 2, 6]),))),
    "embedding_bag_mean": (lambda w, i, o: F.embedding_bag(i, w, o, mode="mean"), joined(floats((11, 6)), indices(11, 9), lambda: (torch.tensor([0, 2, 5]),))),
    "embedding_bag_2d": (lambda w, i: F.embedding_bag(i, w, mode="sum"), joined(floats((11, 6)), indices(11, 4, 3))),
    "one_hot": (lambda i: F.one_hot(i, 7), indices(7, 3, 2)),
    "take_along": (lambda x, i: torch.take_along_dim(x, i, 1), joined(floats((4, 9)), indices(9, 4, 6))),
}  # fmt: skip

REDUCTIONS = {
    **{f"{name}_last": (lambda x, f=getattr(torch, name): f(x, -1), floats((5, 41))) for name in "sum mean amax amin argmax argmin prod".split()},
    **{f"{name}_first": (lambda x, f=getattr(torch, name): f(x, 0), floats((5, 41))) for name in "sum mean amax amin argmax argmin".split()},
    **{f"{name}_two": (lambda x, f=getattr(torch, name): f(x, (0, 2), keepdim=True), floats((5, 7, 9))) for name in "sum mean amax".split()},
    "sum_all": (lambda x: x.sum(), floats((5, 41))),
    "max_all": (lambda x: x.max(), floats((5, 41))),
    "max_dim": (lambda x: tuple(x.max(-1)), floats((5, 41))),
    "sum_integers": (lambda x: x.sum(1), integers((5, 41))),
    "sum_booleans": (lambda x: x.sum(1), booleans((5, 41))),
    "any": (lambda x: x.any(-1), booleans((5, 2))),
    "all": (lambda x: x.all(-1), booleans((5, 2))),
    "var": (lambda x: x.var(-1), floats((5, 41))),
    "var_biased": (lambda x: x.var(-1, correction=0, keepdim=True), floats((5, 41))),
    "std": (lambda x: x.std(1), floats((5, 41))),
    "norm": (lambda x: torch.linalg.vector_norm(x, dim=-1), floats((5, 41))),
    "normalize": (lambda x: F.normalize(x, dim=-1), floats((5, 41))),
    "logsumexp": (lambda x: x.logsumexp(-1), floats((5, 41))),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y, -1), floats((5, 41), (5, 41))),
    "softmax": (lambda x: x.softmax(-1), floats((5, 41))),
    "softmax_inner": (lambda x: x.softmax(1), floats((3, 7, 5))),
    "softmax_masked": (lambda x, m: x.masked_fill(m, float("-inf")).softmax(-1), joined(floats((5, 41)), lambda: (torch.arange(41).expand(5, 41) > 20,))),
    "log_softmax": (lambda x: x.log_softmax(-1), floats((5, 41))),
    "cumsum": (lambda x: x.cumsum(1), floats((5, 41))),
    "cumsum_first": (lambda x: x.cumsum(0), integers((5, 41))),
    "sort": (lambda x: tuple(x.sort(-1)), floats((5, 41))),
    "sort_descending": (lambda x: tuple(x.sort(0, descending=True)), floats((25, 3))),
    "argsort": (lambda x: x.argsort(-1), floats((5, 41))),
    "topk": (lambda x: tuple(x.topk(5)), floats((5, 41))),
    "topk_smallest": (lambda x: tuple(x.topk(3, largest=False)), floats((5, 41))),
    "empty_batch": (lambda x: x.sum(-1) + 1, floats((0, 4))),
}  # fmt: skip

NORMS = {
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (41,), w, b), floats((5, 41), (41,), (41,))),
    "layer_norm_plain": (lambda x: F.layer_norm(x, (41,)), floats((5, 41))),
    "layer_norm_two": (lambda x, w: F.layer_norm(x, (7, 5), w), floats((3, 7, 5), (7, 5))),
    "rms_norm": (lambda x, w: F.rms_norm(x, (41,), w, 1e-6), floats((5, 41), (41,))),
    "rms_norm_manual": (lambda x, w: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w, floats((5, 41), (41,))),
    "group_norm": (lambda x, w, b: F.group_norm(x, 3, w, b), floats((2, 6, 5, 7), (6,), (6,))),
    "instance_norm": (lambda x: F.instance_norm(x), floats((2, 6, 5, 7))),
    "batch_norm": (
        lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b),
        joined(floats((2, 6, 5, 7), (6,)), positive((6,)), floats((6,), (6,))),
    ),
}

PRODUCTS = {
    "linear": (F.linear, floats((5, 37), (19, 37), (19,))),
    "linear_vector": (F.linear, floats((1, 130), (70, 130), (70,))),
    "linear_batched": (F.linear, floats((2, 3, 37), (19, 37))),
    "linear_relu": (lambda x, w, b: F.linear(x, w, b).relu(), floats((9, 64), (48, 64), (48,))),
    "linear_residual": (lambda x, w, b, r: F.gelu(F.linear(x, w, b)) + r, floats((9, 64), (48, 64), (48,), (9, 48))),
    "matmul": (torch.matmul, floats((5, 37), (37, 19))),
    **{
        f"matmul_broadcast_{index}": (torch.matmul, floats(*shapes))
        for index, shapes in enumerate(
            [((2, 1, 3, 4), (5, 4, 2)), ((2, 5, 3, 4), (5, 4, 2)), ((2, 5, 3, 4), (2, 1, 4, 2)), ((1, 3, 4), (5, 4, 2))]
        )
    },
    "matmul_batched": (torch.matmul, floats((2, 3, 5, 37), (2, 3, 37, 19))),
    "matmul_broadcast": (torch.matmul, floats((2, 3, 5, 37), (37, 19))),
    "matmul_transposed": (lambda x, y: x @ y.transpose(-1, -2), floats((3, 5, 37), (3, 19, 37))),
    "matmul_vectors": (lambda x, y: (x @ y, y @ x.t()), floats((5, 37), (37,))),
    "bmm": (torch.bmm, floats((3, 5, 37), (3, 37, 19))),
    "addmm": (lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2), floats((19,), (5, 37), (37, 19))),
    "baddbmm": (torch.baddbmm, floats((3, 5, 19), (3, 5, 37), (3, 37, 19))),
    "grouped_mm": (grouped_mm, joined(floats((9, 5), (4, 5, 7)), groups(2, 2, 7, 9))),
    "grouped_mm_of_few_rows": (grouped_mm, joined(floats((3, 5), (4, 5, 7)), groups(0, 1, 1, 3))),
    "einsum": (lambda x, y: torch.einsum("bij,bkj->bik", x, y), floats((3, 5, 7), (3, 4, 7))),
    "outer": (torch.outer, floats((5,), (7,))),
    **{f"matmul_{str(dtype)[6:]}": (torch.matmul, integers((5, 37), (37, 19), dtype=dtype)) for dtype in (torch.int64, torch.int32, torch.int8)},
    "matmul_integers_batched": (torch.matmul, integers((2, 3, 5, 7), (3, 7, 4))),
    "matmul_integers_vectors": (lambda x, y: (x @ y, y.dot(y)), integers((5, 7), (7,))),
    "matmul_integers_wrap": (torch.matmul, integers((5, 37), (37, 19), low=-128, high=128, dtype=torch.int8)),
    "linear_integers": (F.linear, integers((5, 37), (19, 37), (19,))),
    "int_mm": (torch._int_mm, integers((32, 16), (16, 8), low=-128, high=128, dtype=torch.int8)),
}

ATTENTION_SHAPE = (2, 3, 11, 16)
ATTENTION = {
    "attention": (F.scaled_dot_product_attention, floats(*[ATTENTION_SHAPE] * 3)),
    "attention_causal": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), floats(*[ATTENTION_SHAPE] * 3)),
    "attention_scale": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.5), floats(*[ATTENTION_SHAPE] * 3)),
    "attention_mask": (lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), joined(floats(*[ATTENTION_SHAPE] * 3), lambda: (torch.ones(11, 11, dtype=torch.bool).tril(),))),
    "attention_bias": (lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), floats(*[ATTENTION_SHAPE] * 3, (2, 1, 11, 11))),
    "attention_cross": (F.scaled_dot_product_attention, floats((2, 3, 5, 16), (2, 3, 19, 16), (2, 3, 19, 16))),
    "attention_grouped": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), floats((1, 6, 5, 16), (1, 2, 9, 16), (1, 2, 9, 16))),
    "attention_one_query": (F.scaled_dot_product_attention, floats((1, 4, 1, 64), (1, 4, 70, 64), (1, 4, 70, 64))),
    "attention_heads": (lambda q, k, v: F.scaled_dot_product_attention(*(t.view(2, 11, 3, 16).transpose(1, 2) for t in (q, k, v))).transpose(1, 2).reshape(2, 11, 48), floats(*[(2, 11, 48)] * 3)),
}  # fmt: skip


def recurrent(name, gates, layers=2, directions=2, states=1):
    """A network over [steps, batch, features] as ATen takes it."""
    hidden, shapes = 6, []
    for layer in range(layers):
        for _ in range(directions):
            shapes += [(gates * hidden, hidden * directions if layer else 5), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    state = (layers * directions, 3, hidden)

    def run(x, *rest):
        hx = rest[0] if states == 1 else rest[:states]
        return getattr(torch, name)(x, hx, rest[states:], True, layers, 0.0, False, directions == 2, False)

    return run, floats((7, 3, 5), *[state] * states, *shapes, low=-1.0, high=1.0)


RECURRENT = {
    **{name: recurrent(name, 1) for name in ("rnn_tanh", "rnn_relu")},
    "rnn_tanh_one": recurrent("rnn_tanh", 1, layers=1, directions=1),
    "gru": recurrent("gru", 3),
    "lstm": recurrent("lstm", 4, states=2),
}

CONVOLUTIONS = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), floats((2, 5, 9, 11), (7, 5, 3, 3), (7,))),
    "conv2d_stride": (lambda x, w: F.conv2d(x, w, stride=2, padding=(1, 2)), floats((2, 5, 9, 11), (7, 5, 3, 3))),
    "conv2d_dilation": (lambda x, w: F.conv2d(x, w, dilation=2), floats((1, 5, 9, 11), (7, 5, 3, 3))),
    "conv2d_one": (lambda x, w, b: F.conv2d(x, w, b).relu(), floats((2, 16, 7, 7), (32, 16, 1, 1), (32,))),
    "conv2d_groups": (lambda x, w: F.conv2d(x, w, groups=2), floats((1, 6, 9, 11), (8, 3, 3, 3))),
    "conv2d_depthwise": (lambda x, w: F.conv2d(x, w, padding=2, stride=2, groups=12), floats((1, 12, 9, 11), (12, 1, 5, 5))),
    "conv2d_patch": (lambda x, w, b: F.conv2d(x, w, b, stride=4).flatten(2).transpose(1, 2), floats((1, 3, 16, 16), (10, 3, 4, 4), (10,))),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, padding=1), floats((2, 5, 19), (7, 5, 3), (7,))),
    "conv_transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1), floats((2, 5, 6, 7), (5, 4, 3, 3), (4,))),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), floats((2, 5, 9, 11))),
    "max_pool2d_ceil": (lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True), floats((2, 5, 9, 11))),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1), floats((2, 5, 9, 11))),
    "avg_pool2d_exclusive": (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), floats((2, 5, 9, 11))),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (1, 1)), floats((2, 5, 9, 11))),
    "adaptive_avg_pool2d_uneven": (lambda x: F.adaptive_avg_pool2d(x, (4, 3)), floats((2, 5, 9, 11))),
    "upsample_bicubic": (lambda x: F.interpolate(x, size=(7, 9), mode="bicubic"), floats((2, 3, 4, 5))),
    "upsample_bicubic_scale": (lambda x: F.interpolate(x, scale_factor=(1.5, 0.6), mode="bicubic"), floats((2, 3, 6, 7))),
    "upsample_bicubic_aligned": (lambda x: F.interpolate(x, size=(7, 9), mode="bicubic", align_corners=True), floats((2, 3, 4, 5))),
    "im2col": (lambda x: F.unfold(x, (3, 2), dilation=(1, 2), padding=1, stride=2), floats((2, 3, 8, 9))),
    "upsample_nearest": (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), floats((2, 3, 4, 5))),
    "upsample_bilinear": (lambda x: F.interpolate(x, size=(7, 9), mode="bilinear"), floats((2, 3, 4, 5))),
    "upsample_bilinear_aligned": (lambda x: F.interpolate(x, size=(7, 9), mode="bilinear", align_corners=True), floats((2, 3, 4, 5))),
}  # fmt: skip


def grid_sample(**options):
    return (lambda x, grid: F.grid_sample(x, grid, **options), joined(floats((2, 3, 5, 6)), unit((2, 4, 7, 2))))


# Ops that the importer composes of others.
COMPOSITES = {
    **{name: (getattr(torch, name), unit(X)) for name in "asin acos atanh asinh".split()},
    "acosh": (torch.acosh, floats(X, low=1.0, high=9.0)),
    "asinh_large": (torch.asinh, lambda: (torch.tensor([-1e30, -1e4, -1e-6, 0.0, 1e-6, 9e3, 1e30]),)),
    "acosh_large": (torch.acosh, lambda: (torch.tensor([1.0, 1 + 1e-6, 9e3, 1e10, 1e30, 3.4e38]),)),
    **{f"{name}_precise": (getattr(torch, name), lambda: (torch.tensor([1.5, 11e3, 3e5, 1e12, 1e300], dtype=torch.float64),)) for name in ("asinh", "acosh")},
    "signbit": (lambda x: torch.signbit(torch.cat([x, torch.tensor([0.0, -0.0, float("inf"), -float("inf")])])), floats((9,))),
    "copysign": (torch.copysign, floats(X, X)),
    "hypot": (torch.hypot, floats(X, X)),
    "hypot_large": (torch.hypot, lambda: (torch.tensor([1e30, 0.0, float("inf"), 3.0]), torch.tensor([1e30, 0.0, 1.0, 4.0]))),
    **{name: (lambda x, y, f=getattr(torch, name): f(x.where(x > 0, torch.nan), y.where(y > 0, torch.nan)), floats(X, X)) for name in ("fmax", "fmin")},
    "ldexp": (torch.ldexp, joined(floats(X), integers(X))),
    "median": (torch.median, floats(X)),
    **{f"median_dim_{size}": (lambda x: tuple(x.median(1)), floats((3, size))) for size in (6, 7)},
    "median_nan": (lambda x: x.where(x < 2.5, torch.nan).median(1).values, floats((9, 5))),
    "kthvalue": (lambda x: tuple(x.kthvalue(2, 0, keepdim=True)), floats((5, 4))),
    "searchsorted": (lambda x, v: (torch.searchsorted(x.sort(-1).values, v), torch.searchsorted(x.sort(-1).values, v, side="right", out_int32=True)), floats((3, 7), (3, 4))),
    "searchsorted_nan": (lambda x, v: (torch.searchsorted(x, v), torch.searchsorted(x, v, right=True)), lambda: (torch.arange(5.0), torch.tensor([torch.nan, 2.0, -1.0, 9.0, torch.inf]))),
    "bucketize": (lambda x: (torch.bucketize(x, torch.arange(-2, 3)), torch.bucketize(x.round(), torch.arange(-2.0, 3), right=True)), floats(X)),
    "addbmm": (lambda b, x, y: torch.addbmm(b, x, y, beta=0.5, alpha=2), floats((3, 5), (2, 3, 4), (2, 4, 5))),
    "pad_circular": (lambda x: F.pad(x, (2, 1, 0, 3), mode="circular"), floats((1, 2, 4, 5))),
    "triangle_indices": (lambda x: x[tuple(torch.triu_indices(5, 7, 1))], floats((5, 7))),
    "dist": (torch.dist, floats(X, X)),
    "grid_sample": grid_sample(align_corners=False),
    "grid_sample_border": grid_sample(align_corners=True, padding_mode="border"),
    "grid_sample_reflection": grid_sample(align_corners=False, padding_mode="reflection"),
    "grid_sample_nearest": grid_sample(align_corners=False, mode="nearest"),
    "grid_sample_bicubic": grid_sample(align_corners=False, mode="bicubic"),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), floats((1, 6, 2, 3))),
    "logaddexp": (torch.logaddexp, floats(X, X)),
    "isclose": (lambda x: torch.isclose(x, x.round(), atol=0.1), floats(X)),
    "prelu": (F.prelu, floats((2, 3, 5), (3,))),
    "weight_norm": (lambda v, g: torch._weight_norm(v, g, 0), floats((4, 3, 2), (4, 1, 1))),
    "index_fill": (lambda x, i: x.index_fill(0, i, 7.0), joined(floats((3, 5)), lambda: (torch.tensor([0, 2]),))),
    "scatter_corner": (lambda x, i, v: x.scatter_add(0, i, v), joined(floats((3, 5)), indices(3, 2, 3), floats((2, 3)))),
    "diagonal": (lambda x: torch.diagonal(x, -1, 1, 2) * 2, floats((2, 5, 4))),
    "movedim": (lambda x: torch.movedim(x, (0, 2), (2, 0)) * 1, floats((2, 3, 4, 5))),
    "meshgrid": (lambda x, y: torch.meshgrid(x, y, indexing="xy"), floats((3,), (4,))),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, (2, 3)), floats((1, 2, 4, 9))),
    "var_mean": (lambda x: torch.var_mean(x, 1), floats(X)),
    "write_a_view": (lambda x: _written(x.clone()), floats((3, 6))),
    **{name: (getattr(torch, name), floats((2, 5), *state, (gates * 6, 5), (gates * 6, 6), (gates * 6,), (gates * 6,)))
       for name, gates, state in (("gru_cell", 3, [(2, 6)]), ("rnn_tanh_cell", 1, [(2, 6)]), ("rnn_relu_cell", 1, [(2, 6)]))},
    "lstm_cell": (lambda x, h, c, *weights: torch.lstm_cell(x, (h, c), *weights),
                  floats((2, 5), (2, 6), (2, 6), (24, 5), (24, 6), (24,), (24,))),
}  # fmt: skip


def _written(x):
    """Writes through a transposed slice, while the whole is read as well."""
    view = x.t()[1:3]
    view += 10
    view[0].mul_(2)
    return x * 1, view.sum()


GROUPS = dict(
    unary=UNARY, binary=BINARY, casts=CASTS, views=VIEWS, lookups=LOOKUPS, reductions=REDUCTIONS, norms=NORMS, products=PRODUCTS,
    attention=ATTENTION, recurrent=RECURRENT, convolutions=CONVOLUTIONS, composites=COMPOSITES,
)  # fmt: skip
CASES = {name: row for group in GROUPS.values() for name, row in group.items()}

# Also run in these dtypes, against float64.
LOW_PRECISION = (
    "relu exp gelu silu add mul_broadcast div clamp softmax sum_last mean_two layer_norm rms_norm linear linear_vector linear_relu matmul "
    "matmul_batched attention attention_grouped attention_one_query embedding concat permute_reshape amax_last rnn_tanh rnn_relu"
).split()
