"""Kernels of ours whose time is that of memory, beside the rate at which this machine's GPU reads.

usage: bandwidth.py [--cases NAME,...] [--target cuda:sm_90] [--json FILE]

Each op moves more than 64 MB. Its bytes are those of every input and output once; its time is the GPU's clock around the
call, the median of a few. The reading rate is that of a kernel that only loads. The target is 85 % of it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile

import torch
from torch import nn
from torch.nn import functional as F

import genie
from genie import runtime, toolchain

ROWS, WIDTH = 8192, 4096
TARGET = 0.85


class Op(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def big(dtype=torch.float32, rows=ROWS, width=WIDTH):
    return torch.randn(rows, width).to(dtype)


def nbytes(*tensors):
    return sum(x.nbytes for x in tensors)


def embedding():
    module, ids = nn.Embedding(1 << 18, 256), torch.randint(0, 1 << 18, (1 << 17,))
    return module, (ids,), 2 * ids.numel() * 256 * 4 + ids.nbytes


def embedding_bag():
    module, ids = nn.EmbeddingBag(1 << 18, 256, mode="sum"), torch.randint(0, 1 << 18, (1 << 17,))
    offsets = torch.arange(0, 1 << 17, 16)
    return module, (ids, offsets), ids.numel() * 256 * 4 + ids.nbytes + offsets.numel() * (256 * 4 + 8)


def gemv(dtype):
    module, x = nn.Linear(8192, 16384, bias=False).to(dtype), torch.randn(1, 8192).to(dtype)
    return module, (x,), module.weight.nbytes


def simple(function, *inputs):
    """An op whose bytes are its inputs' and outputs'."""
    return Op(function), inputs, nbytes(*inputs) + nbytes(function(*inputs))


CASES = {
    "pointwise silu(x) * y, f32": lambda: simple(lambda x, y: F.silu(x) * y, big(), big()),
    "pointwise silu(x) * y, bf16": lambda: simple(lambda x, y: F.silu(x) * y, big(torch.bfloat16), big(torch.bfloat16)),
    "pointwise by rows x * a + b, f32": lambda: simple(lambda x, a, b: x * a + b, big(), torch.randn(WIDTH), torch.randn(WIDTH)),
    "layer norm, f32": lambda: simple(lambda x: F.layer_norm(x, (WIDTH,)), big()),
    "rms norm, bf16": lambda: simple(lambda x: F.rms_norm(x, (WIDTH,)), big(torch.bfloat16, 2 * ROWS)),
    "softmax, f32": lambda: simple(lambda x: F.softmax(x, -1), big()),
    "sum of rows, f32": lambda: simple(lambda x: x.sum(-1), big()),
    "sum of columns, f32": lambda: simple(lambda x: x.sum(0), big()),
    "argmax of rows, f32": lambda: simple(lambda x: x.argmax(-1), big()),
    "running sum of rows, f32": lambda: simple(lambda x: x.cumsum(-1), big()),
    "gather of rows, f32": lambda: simple(lambda x, i: x.index_select(0, i), big(), torch.randperm(ROWS)),
    "gather in rows, f32": lambda: simple(lambda x, i: x.gather(1, i), big(), torch.randint(0, WIDTH, (ROWS, WIDTH))),
    "concatenation of columns, f32": lambda: simple(lambda x, y: torch.cat([x, y], 1), big(), big()),
    "transposition, f32": lambda: simple(lambda x: x.t().contiguous(), big()),
    "transposition, bf16": lambda: simple(lambda x: x.t().contiguous(), big(torch.bfloat16, 2 * ROWS)),
    "maximum of windows, f32": lambda: simple(lambda x: F.max_pool2d(x, 3, 2, 1), torch.randn(32, 64, 112, 112)),
    "embedding, f32": embedding,
    "embedding bag, f32": embedding_bag,
    "gemv, bf16": lambda: gemv(torch.bfloat16),
    "gemv, f32": lambda: gemv(torch.float32),
}


def reading_rate():
    """Bytes a second of a kernel that loads 2 GiB and keeps next to nothing."""
    import triton
    import triton.language as tl

    @triton.jit
    def load(source, result, block: tl.constexpr, rounds: tl.constexpr):
        program = tl.program_id(0)
        total = tl.zeros((block,), dtype=tl.float32)
        for i in range(rounds):
            total += tl.load(source + (program * rounds + i) * block + tl.arange(0, block))
        tl.store(result + program, tl.sum(total, 0))

    count, block, rounds = 1 << 29, 2048, 16
    source = torch.rand(count, device="cuda")
    result = torch.empty(count // block // rounds, device="cuda")
    ms = triton.testing.do_bench(lambda: load[(result.numel(),)](source, result, block=block, rounds=rounds, num_warps=8), return_mode="median")
    return source.nbytes / ms * 1e3


def measure(name, options):
    torch.manual_seed(0)
    module, inputs, bytes_moved = CASES[name]()
    module = module.eval().requires_grad_(False)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        archive, plan = os.path.join(folder, "op.pt2"), os.path.join(folder, "op.gplan")
        with torch.no_grad():
            genie.export(module, inputs, {}, path=archive)
            expected = module(*inputs)
        toolchain.compile_archive(archive, plan, ["--target", options.target])
        session = runtime.Session(
            runtime.Model(plan), library_path=os.environ.get("GENIE_LIBRARY_PATH"), cache=os.environ.get("GENIE_CACHE"), device_time=True
        )
        given, times = [x.contiguous() for x in inputs], []
        result = session.run(given)[0].clone()
        for _ in range(12):
            session.run(given)
            times.append(session.stats().last_device_ns)
    error = (result.double() - expected.double()).abs().max().item() / max(expected.double().abs().max().item(), 1e-30)
    seconds = statistics.median(times[2:]) / 1e9
    return {"case": name, "mb": bytes_moved / 1e6, "us": seconds * 1e6, "bytes_per_s": bytes_moved / seconds, "error": error,
            "launches": session.stats().last_launch_count}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="")
    parser.add_argument("--target", default="cuda:sm_90")
    parser.add_argument("--json")
    options = parser.parse_args()
    rate, rows = reading_rate(), []
    print(f"{torch.cuda.get_device_name()}: reads {rate / 1e12:.3f} TB/s", flush=True)
    for name in options.cases.split(",,") if options.cases else CASES:
        try:
            row = measure(name, options)
        except Exception as error:
            rows.append({"case": name, "failed": str(error).splitlines()[0][:200]})
            print(f"| {name} | {rows[-1]['failed']} |", flush=True)
            continue
        row["of_reading"] = row["bytes_per_s"] / rate
        rows.append(row)
        print(f"| {name} | {row['mb']:.0f} MB | {row['launches']} launches | {row['us']:.1f} us | {row['bytes_per_s'] / 1e12:.2f} TB/s | "
              f"{row['of_reading']:.2f}{'' if row['of_reading'] >= TARGET else ' MISSES'} | {row['error']:.1e} |", flush=True)  # fmt: skip
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"device": torch.cuda.get_device_name(), "reading_bytes_per_s": rate, "rows": rows}, file, indent=1)
    return 0 if all(row.get("of_reading", 0) >= TARGET for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
