"""The benchmark's cases: each function returns (module, example inputs), with seeded random weights.

A decoder has two forms. `inplace` keeps its key and value caches in buffers that a step writes with `index_copy_`, as
PyTorch does. `rows` takes the caches as inputs and returns the new rows, for peers without mutable state.
"""

import torch
from torch import nn
from torch.nn import functional as F

from genie import torchvision_absence


def _plain(module):
    return module.eval().requires_grad_(False)


def bert(form="inplace", layers=12):
    """BERT-base, 128 tokens, batch 1, no padding."""
    from transformers import BertConfig, BertModel

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            config = BertConfig(attn_implementation="sdpa", num_hidden_layers=layers)
            self.model = BertModel(config, add_pooling_layer=False)

        def forward(self, ids):
            return self.model(input_ids=ids, return_dict=False)[0]

    return _plain(Bert()), (torch.randint(0, 30000, (1, 128)),)


def vit(form="inplace"):
    """ViT-B/16, 224 x 224, batch 1."""
    return _timm("vit_base_patch16_224")


def resnet50(form="inplace"):
    """ResNet-50, 224 x 224, batch 1."""
    return _timm("resnet50")


def mobilenetv3(form="inplace"):
    """MobileNetV3-large, 224 x 224, batch 1."""
    return _timm("mobilenetv3_large_100")


def _timm(name):
    with torchvision_absence.placeholder():
        import timm
    return _plain(timm.create_model(name, pretrained=False)), (torch.randn(1, 3, 224, 224),)


def mlp(form="inplace"):
    """Three 512 x 512 layers, batch 1: a probe of the overhead of a call."""
    layers = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512))
    return _plain(layers), (torch.randn(1, 512),)


class Dlrm(nn.Module):
    """13 dense features, 26 tables of 10000 x 64 with one index each, dot interaction."""

    def __init__(self):
        super().__init__()

        def tower(*widths):
            return nn.Sequential(*[part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), nn.ReLU())])

        self.tables = nn.ModuleList(nn.Embedding(10000, 64) for _ in range(26))
        self.bottom, self.top, self.out = tower(13, 512, 256, 64), tower(64 + 351, 512, 256), nn.Linear(256, 1)
        row, column = torch.tril_indices(27, 27, -1)
        self.register_buffer("pairs", row * 27 + column)

    def forward(self, dense, indices):
        x = self.bottom(dense)
        features = torch.stack([x] + [table(indices[i]) for i, table in enumerate(self.tables)], 1)
        interaction = torch.bmm(features, features.transpose(1, 2)).flatten(1).index_select(1, self.pairs)
        return torch.sigmoid(self.out(self.top(torch.cat([x, interaction], 1))))


def dlrm(form="inplace"):
    """DLRM, batch 128."""
    return _plain(Dlrm()), (torch.randn(128, 13), torch.randint(0, 10000, (26, 128)))


def gpt2(form="inplace", layers=12, vocabulary=50257):
    """GPT-2 124M, one decode step at position 511 of a static cache of 512, batch 1."""
    shape = dict(vocabulary=vocabulary, width=768, heads=12, kv_heads=12, inner=3072)
    return _decoder(form, layers, torch.float32, is_llama=False, **shape)


def llama(form="inplace", layers=12, vocabulary=32000, dtype=torch.float32):
    """A Llama of 125M parameters, one decode step at position 511 of a static cache of 512, batch 1."""
    shape = dict(vocabulary=vocabulary, width=768, heads=12, kv_heads=4, inner=2048)
    return _decoder(form, layers, dtype, is_llama=True, **shape)


def llama_bf16(form="inplace", layers=12, vocabulary=32000):
    """The same in bfloat16."""
    return llama(form, layers, vocabulary, torch.bfloat16)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-5)


def _rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class DecoderBlock(nn.Module):
    def __init__(self, form, context, width, heads, kv_heads, inner, is_llama):
        super().__init__()
        self.form, self.is_llama, self.context = form, is_llama, context
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        norm = RmsNorm if is_llama else nn.LayerNorm
        self.norm_attention, self.norm_inner = norm(width), norm(width)
        bias = not is_llama
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.head_width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.up = nn.Linear(width, 2 * inner if is_llama else inner, bias=bias)
        self.down = nn.Linear(inner, width, bias=bias)
        if form == "inplace":
            self.register_buffer("key_cache", torch.randn(1, kv_heads, context, self.head_width))
            self.register_buffer("value_cache", torch.randn(1, kv_heads, context, self.head_width))

    def forward(self, x, position, mask, cos, sin, key_cache=None, value_cache=None):
        q, k, v = self._project(self.norm_attention(x), cos, sin)
        if self.form == "inplace":
            self.key_cache.index_copy_(2, position, k)
            self.value_cache.index_copy_(2, position, v)
            grouped = self.heads > self.kv_heads
            o = F.scaled_dot_product_attention(q, self.key_cache, self.value_cache, attn_mask=mask, enable_gqa=grouped)
        else:
            o = self._attend_rows(q, k, v, mask, key_cache, value_cache)
        x = x + self.out(o.transpose(1, 2).reshape(1, 1, -1))
        return x + self.down(self._activate(self.up(self.norm_inner(x)))), k, v

    def _project(self, x, cos, sin):
        sizes = [self.heads * self.head_width] + 2 * [self.kv_heads * self.head_width]
        q, k, v = (t.view(1, 1, -1, self.head_width).transpose(1, 2) for t in self.qkv(x).split(sizes, -1))
        return (_rotate(q, cos, sin), _rotate(k, cos, sin), v) if self.is_llama else (q, k, v)

    def _attend_rows(self, q, k, v, mask, key_cache, value_cache):
        """Scores of the past and of the new row, one softmax, no copy of the cache."""
        groups = self.heads // self.kv_heads
        grouped = q.reshape(1, self.kv_heads, groups, self.head_width) * self.head_width**-0.5
        past = torch.where(mask, grouped @ key_cache.transpose(2, 3), -1e9)
        p = torch.cat([past, grouped @ k.transpose(2, 3)], -1).float().softmax(-1).to(q.dtype)
        o = p[..., : self.context] @ value_cache + p[..., self.context :] @ v
        return o.reshape(1, self.heads, 1, self.head_width)

    def _activate(self, x):
        if not self.is_llama:
            return F.gelu(x, approximate="tanh")
        a, b = x.chunk(2, -1)
        return F.silu(a) * b


class Decoder(nn.Module):
    def __init__(self, form, layers, vocabulary, context, width, is_llama, **shape):
        super().__init__()
        self.form, self.is_llama, self.context = form, is_llama, context
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        blocks = (DecoderBlock(form, context, width, is_llama=is_llama, **shape) for _ in range(layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = RmsNorm(width) if is_llama else nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        if is_llama:
            half = width // shape["heads"]
            angles = torch.arange(context)[:, None] * 10000.0 ** (-torch.arange(0, half, 2) / half)
            self.register_buffer("cos", angles.cos().repeat(1, 2))
            self.register_buffer("sin", angles.sin().repeat(1, 2))
        else:
            self.head.weight = self.embedding.weight
            self.positions = nn.Embedding(context, width)

    def forward(self, ids, position, key_caches=None, value_caches=None):
        x, cos, sin = self.embedding(ids), None, None
        if self.is_llama:
            cos, sin = self.cos[position], self.sin[position]
        else:
            x = x + self.positions(position)
        slots = torch.arange(self.context, device=ids.device)[None, None, None]
        mask = slots <= position if self.form == "inplace" else slots < position
        rows = []
        for i, block in enumerate(self.blocks):
            caches = () if self.form == "inplace" else (key_caches[i], value_caches[i])
            x, k, v = block(x, position, mask, cos, sin, *caches)
            rows += [k, v]
        y = self.head(self.norm(x)).float()
        return y if self.form == "inplace" else (y, torch.stack(rows[::2]), torch.stack(rows[1::2]))


def _decoder(form, layers, dtype, is_llama, width, heads, kv_heads, context=512, **shape):
    module = _plain(Decoder(form, layers, context=context, width=width, heads=heads, kv_heads=kv_heads,
                            is_llama=is_llama, **shape)).to(dtype)
    torch.manual_seed(1)
    caches = [torch.randn(layers, 1, kv_heads, context, width // heads).to(dtype) for _ in range(2)]
    if form == "inplace":
        for i, block in enumerate(module.blocks):
            block.key_cache.copy_(caches[0][i])
            block.value_cache.copy_(caches[1][i])
    inputs = (torch.tensor([[7]]), torch.tensor([context - 1]))
    return module, inputs if form == "inplace" else inputs + tuple(caches)


CASES = {case.__name__: case for case in (bert, vit, resnet50, mobilenetv3, gpt2, llama, llama_bf16, dlrm, mlp)}


def make(name, form="inplace", **options):
    torch.manual_seed(0)
    return CASES[name](form, **options)
