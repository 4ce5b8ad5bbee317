"""Modules of `genie` text that apply ops to inputs: what tests write when no exported model holds an op, or a dtype of it."""

from genie import runtime

NAMES = {number: name for number, name in enumerate("invalid f32 f64 f16 bf16 i8 i16 i32 i64 u8 bool".split())}
ELEMENTS = {"u8": "ui8", "bool": "i1"}


def element_type(dtype):
    name = NAMES[runtime.NUMBERS[dtype]]
    return ELEMENTS.get(name, name)


def tensor_type(shape, dtype):
    return f"tensor<{''.join(f'{size}x' for size in shape)}{element_type(dtype)}>"


class Module:
    """Text under construction: inputs by position, ops by name, outputs in the order in which they were yielded."""

    def __init__(self, inputs):
        self.inputs, self.lines, self.outputs, self.count = inputs, [], [], 0
        self.types = {f"%a{i}": tensor_type(x.shape, x.dtype) for i, x in enumerate(inputs)}

    def op(self, name, operands, result_types, attributes=""):
        """Names of the results of one op; `operands` are names that this or the constructor gave."""
        first, count, self.count = self.count, len(result_types), self.count + 1
        names = [f"%{first}"] if count == 1 else [f"%{first}#{i}" for i in range(count)]
        for result, type_ in zip(names, result_types):
            self.types[result] = type_
        operand_types = ", ".join(self.types[operand] for operand in operands)
        results = result_types[0] if count == 1 else f"({', '.join(result_types)})"
        properties = f" <{{{attributes}}}>" if attributes else ""
        defined = f"%{first}" if count == 1 else f"%{first}:{count}"
        self.lines.append(f'  {defined} = "genie.{name}"({", ".join(operands)}){properties} : ({operand_types}) -> {results}')
        return names

    def output(self, *names):
        self.outputs += names

    def text(self):
        arguments = ", ".join(
            f'%a{i}: {self.types[f"%a{i}"]} {{genie.input = "x{i}"}}' for i in range(len(self.inputs))
        )
        results = ", ".join(f'{self.types[name]} {{genie.output = "y{i}"}}' for i, name in enumerate(self.outputs))
        returned = f"  return {', '.join(self.outputs)} : {', '.join(self.types[name] for name in self.outputs)}"
        return "\n".join([f"func.func @main({arguments}) -> ({results}) {{", *self.lines, returned, "}", ""])

    def run(self, geniec, folder, *options):
        source, plan = folder / "module.mlir", folder / "module.gplan"
        source.write_text(self.text())
        done = geniec(source, "-o", plan, *options)
        assert done.returncode == 0, done.stderr[-2000:]
        return runtime.Session(runtime.Model(plan), threads=2).run(list(self.inputs))
