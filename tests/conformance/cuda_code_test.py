"""Code for CUDA devices without one: every model compiles to PTX without calls or local memory, and the templates, which
an emulator runs on the CPU, compute what eager PyTorch does."""

import ctypes
import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import archives
import parity
import ptx_resources
from conformance import op_cases, ops_test
from genie import runtime, toolchain
from zoo import models

EMULATED = (
    "linear layer_norm_affine softmax attention_grouped attention_one_query conv2d conv2d_groups max_pool2d "
    "embedding index_copy concat cumsum topk sum_dim argmax rnn_tanh rnn_relu gru lstm matmul_int32"
).split()

# The greatest number of registers a thread of a template's kernels may have. ptxas spills a word at its own choice.
MOST_SPILL_BYTES = 8
BUDGETS = json.loads((Path(__file__).parent / "cuda_budgets.json").read_text())
PTXAS = ptx_resources.find_ptxas()


def _check_resources(text):
    """Fails where a kernel of this PTX has a stack, spills, or takes more registers than its template's budget."""
    for name, found in ptx_resources.assemble(PTXAS, text, "sm_90").items():
        budget = BUDGETS[re.sub(r"_\d+$", "", name)]
        assert found.spill_bytes <= MOST_SPILL_BYTES and found.stack_bytes <= MOST_SPILL_BYTES, f"{name}: {found}"
        assert found.registers <= budget, f"{name} takes {found.registers} registers, its budget is {budget}"


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.skipif(PTXAS is None, reason="no ptxas: pip install nvidia-cuda-nvcc, or name it in GENIE_PTXAS")
def test_a_model_keeps_to_the_budgets(name, geniec):
    done = geniec(archives.zoo(name).path, "--target", "cuda:sm_90", "--libraries", "none", "--emit", "asm")
    assert done.returncode == 0, done.stderr[-2000:]
    _check_resources(done.stdout)


@pytest.mark.parametrize("name", models.MODELS)
def test_a_model_compiles_for_cuda(name, geniec, genie_tool, tmp_path):
    archive, plan = archives.zoo(name).path, tmp_path / "model.gplan"
    done = geniec(archive, "--target", "cuda:sm_80,cuda:sm_90", "-o", plan)
    assert done.returncode == 0, done.stderr[-2000:]
    assert genie_tool("verify", plan).returncode == 0
    text = geniec(archive, "--target", "cuda:sm_90", "--libraries", "none", "--emit", "asm").stdout
    assert ".entry" in text
    assert not re.search(r"^\s*(\.local|call)", text, re.MULTILINE)


def _early_kernels(text):
    """The kernels of this PTX that start while the one before them ends, by name."""
    kernels = re.split(r"^\s*\.visible \.entry (\w+)", text, flags=re.MULTILINE)
    return {name: body for name, body in zip(kernels[1::2], kernels[2::2]) if "griddepcontrol" in body}


def _arguments_read(body):
    """Which pointer arguments the global loads of straight PTX follow, by their place in the kernel's parameter."""
    sources, read = {}, set()
    for line in body.splitlines():
        registers = re.findall(r"%rd\d+", line)
        if argument := re.search(r"ld\.param\.b64\s+(%rd\d+), \[\w+_param_0(?:\+(\d+))?\]", line):
            sources[argument[1]] = {int(argument[2] or 0) // 8}
        elif "ld.global" in line:
            read |= set().union(*(sources.get(register, set()) for register in registers))
        elif registers:
            sources[registers[0]] = set().union(*(sources.get(register, set()) for register in registers[1:]))
    return read


def test_a_kernel_that_starts_early_waits_before_it_reads_results_or_writes(geniec):
    text = geniec(archives.zoo("mlp").path, "--target", "cuda:sm_90", "--emit", "asm").stdout
    kernels = _early_kernels(text)
    assert kernels
    for name, body in kernels.items():
        wait, release = body.find("griddepcontrol.wait"), body.find("griddepcontrol.launch_dependents")
        assert 0 <= wait < release, name
        before = body[:wait]
        assert not re.search(r"\bst\.global|\bred\.|\batom\.", before), f"{name} writes before it waits"
        assert _arguments_read(before) <= {1}, f"{name} reads more than its weight, argument 1, before it waits"


def test_no_kernel_starts_early_beside_library_calls(geniec):
    text = geniec(archives.zoo("resnet50").path, "--target", "cuda:sm_90", "--emit", "asm").stdout
    assert ".entry" in text
    assert "griddepcontrol" not in text


@pytest.fixture(scope="module")
def emulator():
    return ctypes.CDLL(str(toolchain.find("lib/libgenie_cuda_emulator_preload.so")))


@pytest.mark.parametrize("name", [name for name in EMULATED if name in op_cases.CASES])
def test_a_template_equals_eager(name, emulator, geniec, tmp_path):
    def plan_of(archive):
        done = geniec(archive, "--target", "cuda:emulated", "-o", tmp_path / "op.gplan")
        assert done.returncode == 0, done.stderr[-2000:]
        return tmp_path / "op.gplan"

    function, inputs = ops_test.load(name)
    parity.assert_equal(ops_test.run(function, inputs, plan_of, tmp_path), ops_test.eager(function, inputs))


def _attention(q, k, v, mask=None, **options):
    return F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True, **options)


def _in_windows(queries, keys, width):
    """Each query sees `width` keys up to its own place, and the first query none."""
    mask = torch.ones(queries, keys, dtype=torch.bool).tril().triu(1 - width)
    mask[0] = False
    return mask


def _of_batches(*lengths, keys):
    return torch.stack([(torch.arange(keys) < length).expand(1, 1, keys) for length in lengths])


# The template's blocks are 64 queries and 64 keys: what they see is nothing, all, or a part.
NARROW = {
    "a_causal_mask": (_attention, [(1, 2, 144, 32), (1, 1, 144, 32), (1, 1, 144, 32)], torch.ones(144, 144, dtype=torch.bool).tril()),
    "a_causal_mask_of_odd_size": (_attention, [(1, 1, 131, 32), (1, 1, 135, 32), (1, 1, 135, 32)], torch.ones(131, 135, dtype=torch.bool).tril(4)),
    "windows": (_attention, [(1, 1, 208, 16), (1, 1, 208, 16), (1, 1, 208, 24)], _in_windows(208, 208, 9)),
    "lengths": (_attention, [(3, 1, 20, 48), (3, 1, 144, 48), (3, 1, 144, 48)], _of_batches(144, 64, 70, keys=144)),
    "an_added_mask": (_attention, [(1, 1, 20, 32), (1, 1, 90, 32), (1, 1, 90, 32)], torch.randn(20, 90)),
    "causal": (lambda q, k, v: _attention(q, k, v, is_causal=True), [(1, 1, 140, 64)] * 3, None),
    "a_computed_mask": (lambda q, k, v: _attention(q, k, v, torch.arange(140)[None] <= torch.arange(140)[:, None]), [(1, 1, 140, 16)] * 3, None),
    "one_query": (_attention, [(1, 8, 1, 64), (1, 2, 530, 64), (1, 2, 530, 64)], None),
    "one_query_of_lengths": (_attention, [(2, 6, 1, 48), (2, 1, 260, 48), (2, 1, 260, 32)], _of_batches(260, 9, keys=260)),
    "a_negative_scale": (lambda q, k, v: _attention(q, k, v, scale=-0.3), [(1, 1, 20, 128)] * 3, None),
}  # fmt: skip


class Cache(torch.nn.Module):
    """Turns rows by their place, and writes them into a cache, as a decoder does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.randn(1, 4, 1100, 64).bfloat16())

    def forward(self, x, position, cos, sin):
        rows = x.view(1, -1, 4, 64).transpose(1, 2)
        low, high = rows.chunk(2, -1)
        turned = rows * cos + torch.cat([-high, low], -1) * sin
        self.cache.index_copy_(2, position, turned)
        return self.cache * 1, turned


def test_a_cache_is_written_as_in_eager(emulator, geniec, tmp_path):
    torch.manual_seed(0)
    module, count = Cache(), 1060
    inputs = (
        torch.randn(1, count, 256).bfloat16(),
        torch.randperm(1100)[:count],
        *(torch.randn(count, 64).bfloat16() for _ in range(2)),
    )
    archive, plan = archives.of_module(tmp_path, module, inputs), tmp_path / "cache.gplan"
    done = geniec(archive.path, "--target", "cuda:emulated", "-o", plan)
    assert done.returncode == 0, done.stderr[-2000:]
    session = runtime.Session(runtime.Model(plan), threads=2)
    given, _ = archive.load_call()
    actual = session.run([given[info.name] for info in session.model.inputs()])
    for left, right in zip(actual, module(*inputs), strict=True):
        assert parity.difference(left, right) < 0.01


class Bags(torch.nn.Module):
    """Tables that are looked up by the rows of one tensor, in another order."""

    def __init__(self, mode):
        super().__init__()
        self.tables = torch.nn.ModuleList(torch.nn.EmbeddingBag(19, 12, mode=mode) for _ in range(3))

    def forward(self, indices, offsets):
        return torch.stack([self.tables[i](indices[i], offsets) for i in (2, 0, 1)], 1)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_several_tables_are_one_kernel(mode, emulator, geniec, tmp_path):
    torch.manual_seed(0)
    module, inputs = Bags(mode), (torch.randint(0, 19, (3, 23)), torch.tensor([0, 4, 4, 9, 20]))
    archive, plan = archives.of_module(tmp_path, module, inputs), tmp_path / "bags.gplan"
    text = geniec(archive.path, "--target", "cuda:emulated", "--emit", "fuse").stdout
    assert text.count("genie.embedding_bag ") == 1
    assert geniec(archive.path, "--target", "cuda:emulated", "-o", plan).returncode == 0
    session = runtime.Session(runtime.Model(plan), threads=2)
    given, _ = archive.load_call()
    actual = session.run([given[info.name] for info in session.model.inputs()])
    parity.assert_equal(actual, [module(*inputs).detach()])


@pytest.mark.parametrize("name", NARROW)
def test_attention_on_tensor_cores_equals_eager(name, emulator, geniec, tmp_path):
    function, shapes, mask = NARROW[name]
    dtype = torch.float16 if name in ("causal", "lengths") else torch.bfloat16
    torch.manual_seed(0)
    inputs = [torch.randn(shape).to(dtype) for shape in shapes]
    if mask is not None:
        inputs.append(mask.to(dtype) if mask.is_floating_point() else mask)
    _assert_precise(function, inputs, geniec, tmp_path)


def _assert_precise(function, inputs, geniec, tmp_path):
    def plan_of(archive):
        done = geniec(archive, "--target", "cuda:emulated", "-o", tmp_path / "op.gplan")
        assert done.returncode == 0, done.stderr[-2000:]
        if PTXAS is not None:
            _check_resources(geniec(archive, "--target", "cuda:sm_90", "--libraries", "none", "--emit", "asm").stdout)
        return tmp_path / "op.gplan"

    actual, expected = ops_test.run(function, tuple(inputs), plan_of, tmp_path), ops_test.eager(function, inputs)
    exact = ops_test.eager(function, [x.double() if x.is_floating_point() else x for x in inputs])
    parity.assert_as_precise(actual[0], expected[0].nan_to_num(0), exact[0].nan_to_num(0))


# Few rows whose normalisation is part of the product: of more columns than blocks make at a time, or in odd sizes.
STAGED = {
    "rms_norm": (lambda x, g, w: F.linear(F.rms_norm(x, (64,), g, 1e-5), w), [(3, 64), (64,), (8460, 64)]),
    "rms_norm_of_odd_size": (lambda x, g, w: F.linear(F.rms_norm(x, (37,), g, 1e-5), w), [(2, 37), (37,), (19, 37)]),
    "rms_norm_without_weight": (lambda x, w: F.linear(F.rms_norm(x, (48,), None, 1e-5), w), [(1, 48), (19, 48)]),
    "layer_norm": (lambda x, g, b, w: F.linear(F.layer_norm(x, (72,), g, b), w), [(2, 72), (72,), (72,), (19, 72)]),
    "gated": (lambda x, w: F.linear(F.silu(x[:, :128]) * x[:, 128:], w), [(2, 256), (19, 128)]),
}


@pytest.mark.parametrize("name", STAGED)
def test_a_product_of_normalised_rows_equals_eager(name, emulator, geniec, tmp_path):
    function, shapes = STAGED[name]
    torch.manual_seed(0)
    _assert_precise(function, [torch.randn(shape).bfloat16() for shape in shapes], geniec, tmp_path)


# Copies by tiles of 64 x 64: whole, cut off, aligned or not, between images and channels, of every width.
TRANSPOSED = {
    "matrix": (lambda x: x.t().contiguous(), (720, 800), torch.float32),
    "odd_matrix": (lambda x: x.t().contiguous(), (733, 811), torch.bfloat16),
    "aligned_in_the_source": (lambda x: x.t().contiguous(), (733, 808), torch.bfloat16),
    "aligned_in_the_result": (lambda x: x[:, 1:].t().contiguous(), (736, 809), torch.float16),
    "images": (lambda x: x.flatten(2).transpose(1, 2).contiguous(), (140, 40, 5, 12), torch.float32),
    "outermost": (lambda x: x.permute(2, 1, 0).contiguous(), (40, 140, 36), torch.float64),
    "bytes": (lambda x: x.transpose(1, 2).contiguous(), (70, 80, 64), torch.int8),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposition_equals_eager(name, emulator, geniec, tmp_path):
    function, shape, dtype = TRANSPOSED[name]
    inputs = ((torch.arange(torch.Size(shape).numel()) * 37 % 251 - 125).view(shape).to(dtype),)

    def plan_of(archive):
        text = geniec(archive, "--target", "cuda:sm_90", "--emit", "asm").stdout
        assert re.search(r"\.entry transpose_b\d+", text)
        assert geniec(archive, "--target", "cuda:emulated", "-o", tmp_path / "op.gplan").returncode == 0
        return tmp_path / "op.gplan"

    parity.assert_equal(ops_test.run(function, inputs, plan_of, tmp_path), ops_test.eager(function, inputs))


# Few columns, which the threads of a block share: parts of unequal size, blocks that are not full.
COLUMNS = {
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(0),
    "greatest": lambda x: x.amax(0),
    "variance": lambda x: x.var(0),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_reduction_of_few_columns_equals_eager(name, emulator, geniec, tmp_path):
    torch.manual_seed(0)
    _assert_precise(COLUMNS[name], [torch.randn(603, 75)], geniec, tmp_path)
