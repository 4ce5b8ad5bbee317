"""Plans for fault tests, from a few lines of text: no model needs to be exported for them."""

import os
import pathlib

import numpy

SIZE = 512
TEXT = """
genie.weight @w {{file = "{weights}", offset = 0 : i64, strides = array<i64: {size}, 1>}} : tensor<{size}x{size}xf32>
genie.weight @v {{file = "{weights}", offset = {bytes} : i64, strides = array<i64: {size}, 1>}} : tensor<{size}x{size}xf32>
func.func @main(%x: tensor<8x{size}xf32> {{genie.input = "x"}}, %w: tensor<{size}x{size}xf32> {{genie.weight = @w}}, %v: tensor<{size}x{size}xf32> {{genie.weight = @v}}) -> (tensor<8x{size}xf32> {{genie.output = "y"}}) {{
  %0 = genie.linear %x, %w {{genie.module = "a:A"}} : (tensor<8x{size}xf32>, tensor<{size}x{size}xf32>) -> tensor<8x{size}xf32>
  %1 = genie.linear %0, %v {{genie.module = "b:B"}} : (tensor<8x{size}xf32>, tensor<{size}x{size}xf32>) -> tensor<8x{size}xf32>
  return %1 : tensor<8x{size}xf32>
}}
"""


def compile_plan(geniec, folder, *places, size=SIZE, target="x86-64-v3"):
    """A plan of two products; `places` are rules for the modules "a" and "b"."""
    folder = pathlib.Path(folder)
    weights, text, plan = folder / f"weights{size}", folder / f"two{size}.mlir", folder / f"two{size}-{len(places)}.gplan"
    if not weights.exists():
        weights.write_bytes((numpy.frombuffer(os.urandom(2 * size * size * 4), numpy.uint8) % 61).tobytes())
    text.write_text(TEXT.format(weights=weights, size=size, bytes=size * size * 4))
    arguments = [argument for place in places for argument in ("--place", place)]
    done = geniec(text, "-o", plan, "--target", target, *arguments)
    assert done.returncode == 0, done.stderr
    return plan


def inputs(size=SIZE):
    return ("--input", f"x=8x{size}xf32=0.5")
