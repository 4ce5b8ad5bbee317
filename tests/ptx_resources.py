"""What NVIDIA's assembler says of generated PTX: registers, stack and spills of each kernel.

ptxas is looked for in GENIE_PTXAS, in PATH, and in the wheel nvidia-cuda-nvcc.
"""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple


class Resources(NamedTuple):
    registers: int
    stack_bytes: int
    spill_bytes: int


def find_ptxas():
    """The path of ptxas, or None."""
    given = os.environ.get("GENIE_PTXAS") or shutil.which("ptxas")
    if given:
        return given
    wheels = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/bin/ptxas"))
    return str(wheels[-1]) if wheels else None


def assemble(ptxas, text, architecture):
    """{kernel: Resources} of PTX as `geniec --emit asm` prints it."""
    ptx = "\n".join(line for line in text.splitlines() if not line.startswith("# target"))
    done = subprocess.run(
        [ptxas, f"-arch={architecture}", "-v", "-o", os.devnull, "/dev/stdin"], input=ptx, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {}
    for part in re.split(r"Compiling entry function ", done.stderr)[1:]:
        name = re.match(r"'(\w+)'", part)[1]
        stack, stores, loads = map(
            int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part).groups()
        )
        found[name] = Resources(int(re.search(r"Used (\d+) registers", part)[1]), stack, stores + loads)
    return found
