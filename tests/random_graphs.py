"""Random genie modules, for tests that two compiles of one module agree.

A graph starts from inputs with a dynamic first dimension and grows by ops on values it has. Sizes are kept as text over
the symbol s0, which is `SIZE` in a run.
"""

import random

import numpy

SIZE = 3
SYMBOLS = 'attributes {genie.symbols = [{max = 8, min = 1, multiple = 1, name = "s0"}]}'


def tensor(dims, dtype="f32"):
    """The type of a tensor; a dimension is a number or text."""
    shape = "x".join([*("?" if isinstance(dim, str) else str(dim) for dim in dims), dtype])
    sizes = f", affine_map<()[s0] -> ({', '.join(map(str, dims))})>" if any(isinstance(dim, str) for dim in dims) else ""
    return f"tensor<{shape}{sizes}>"


class Graph:
    """The text of a module, `text()`, and the inputs of a run."""

    def __init__(self, seed, steps):
        self.random, self.lines, self.arguments, self.weights = random.Random(seed), [], [], []
        self.inputs, self.values = {}, []
        for dims in (("s0", 8), ("s0", 4, 8), (8,), ("s0", 4, 6, 6)):
            self._input(dims)
        while len(self.lines) < steps:
            getattr(self, self.random.choice([name for name in dir(self) if name.startswith("grow_")]))()

    def text(self):
        results = self.values[-2:]
        types = [tensor(dims) for _, dims in results]
        outputs = ", ".join(f'{kind} {{genie.output = "y{i}"}}' for i, kind in enumerate(types))
        names = ", ".join(name for name, _ in results)
        body = "\n".join([*self.lines, f"  return {names} : {', '.join(types)}"])
        head = f"func.func @main({', '.join(self.arguments)}) -> ({outputs}) {SYMBOLS}"
        return "\n".join([f"{head} {{", body, "}", *self.weights])

    def _input(self, dims):
        name = f"x{len(self.arguments)}"
        self.arguments.append(f'%{name}: {tensor(dims)} {{genie.input = "{name}"}}')
        shape = [SIZE if dim == "s0" else dim for dim in dims]
        self.inputs[name] = numpy.random.default_rng(len(self.inputs)).standard_normal(shape).astype("f4")
        self.values.append((f"%{name}", dims))

    def _weight(self, *dims):
        name, strides = f"w{len(self.arguments)}", [1]
        for dim in reversed(dims[1:]):
            strides.insert(0, strides[0] * dim)
        self.arguments.append(f"%{name}: {tensor(dims)} {{genie.weight = @{name}}}")
        offset = 64 * self.random.randrange(100)
        self.weights.append(
            f'genie.weight @{name} {{file = "w.bin", offset = {offset} : i64, '
            f"strides = array<i64: {', '.join(map(str, strides))}>}} : {tensor(dims)}"
        )
        return f"%{name}", dims

    def _op(self, name, operands, dims, attributes=""):
        result = f"%v{len(self.lines)}"
        types = ", ".join(tensor(operand[1]) for operand in operands)
        names = ", ".join(operand[0] for operand in operands)
        self.lines.append(f"  {result} = genie.{name} {names} {attributes} : ({types}) -> {tensor(dims)}")
        self.values.append((result, tuple(dims)))
        return self.values[-1]

    def _pick(self, *fits):
        found = [value for value in self.values[-8:] if all(fit(value[1]) for fit in fits)]
        return self.random.choice(found or [self.values[1]])

    def grow_unary(self):
        x = self._pick()
        self._op(self.random.choice(["relu", "tanh", "neg", "gelu", "silu", "cos"]), [x], x[1])

    def grow_binary(self):
        x = self._pick()
        y = self._pick(lambda dims: dims == x[1])
        if y[1] == x[1]:
            self._op(self.random.choice(["add", "sub", "maximum"]), [x, y], x[1])

    def grow_permute(self):
        x = self._pick(lambda dims: len(dims) > 1)
        order = self.random.sample(range(len(x[1])), len(x[1]))
        self._op("permute", [x], [x[1][i] for i in order], f"{{permutation = array<i64: {', '.join(map(str, order))}>}}")

    def grow_reshape(self):
        x = self._pick(lambda dims: len(dims) < 5)
        at = self.random.randrange(len(x[1]))
        halves = [2, x[1][at] // 2] if x[1][at] in (4, 6, 8) else [1, x[1][at]]
        self._op("reshape", [x], [*x[1][:at], *halves, *x[1][at + 1 :]])

    def grow_slice_and_concat(self):
        x = self._pick(lambda dims: 8 in dims)
        if 8 in x[1]:
            axis = x[1].index(8)
            dims = [*x[1][:axis], 4, *x[1][axis + 1 :]]
            halves = [
                self._op("slice", [x], dims, f"{{axis = {axis} : i64, start = affine_map<() -> ({start})>}}")
                for start in (4, 0)
            ]
            self._op("concat", halves, x[1], f"{{axis = {axis} : i64}}")

    def grow_row(self):
        x = self._pick(lambda dims: not isinstance(dims[-1], str))
        axis = len(x[1]) - 1
        if self.random.random() < 0.5:
            self._op("softmax", [x], x[1], f"{{axis = {self.random.randrange(axis + 1)} : i64}}")
        else:
            self._op("rms_norm", [x], x[1], "{normalized_rank = 1 : i64, eps = 1.0e-3 : f64}")

    def grow_reduction(self):
        x = self._pick(lambda dims: len(dims) > 1)
        axis = self.random.randrange(len(x[1]))
        kept = [1 if i == axis else dim for i, dim in enumerate(x[1])]
        self._op(self.random.choice(["mean", "amax"]), [x], kept, f"{{axes = array<i64: {axis}>, keepdim = true}}")

    def grow_linear(self):
        x = self._pick(lambda dims: len(dims) > 1 and dims[-1] in (4, 6, 8))
        if len(x[1]) > 1 and not isinstance(x[1][-1], str):
            weights = [self._weight(8, x[1][-1]), self._weight(8)]
            y = self._op("linear", [x, *weights[: self.random.randint(1, 2)]], [*x[1][:-1], 8])
            self._op("gelu", [y], y[1])

    def grow_conv(self):
        x = self._pick(lambda dims: len(dims) == 4 and dims[1:] == (4, 6, 6))
        if x[1][1:] == (4, 6, 6):
            groups = self.random.choice([1, 4])
            window = "stride = array<i64: 1, 1>, padding_low = array<i64: 1, 1>, padding_high = array<i64: 1, 1>"
            attributes = f"{{{window}, dilation = array<i64: 1, 1>, groups = {groups} : i64}}"
            y = self._op("conv", [x, self._weight(4, 4 // groups, 3, 3)], x[1], attributes)
            self._op("add", [y, x], x[1])
