"""The workloads of the GPU benchmark: each function returns (module, inputs) with random weights, on the CPU.

The same module runs in PyTorch and is exported for Genie. A decoder's key and value caches are buffers that a step writes.
"""

import torch
from torch import nn
from torch.nn import functional as F


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-5)


def _rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, inner, context):
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        self.norm_attention, self.norm_inner = RmsNorm(width), RmsNorm(width)
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.head_width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
        self.register_buffer("key_cache", torch.randn(1, kv_heads, context, self.head_width))
        self.register_buffer("value_cache", torch.randn(1, kv_heads, context, self.head_width))

    def forward(self, x, position, mask, cos, sin):
        batch, tokens, width = x.shape
        sizes = [self.heads * self.head_width] + 2 * [self.kv_heads * self.head_width]
        parts = self.qkv(self.norm_attention(x)).split(sizes, -1)
        q, k, v = (part.view(batch, tokens, -1, self.head_width).transpose(1, 2) for part in parts)
        self.key_cache.index_copy_(2, position, _rotate(k, cos, sin))
        self.value_cache.index_copy_(2, position, v)
        q = _rotate(q, cos, sin)
        o = F.scaled_dot_product_attention(q, self.key_cache, self.value_cache, attn_mask=mask, enable_gqa=True)
        x = x + self.out(o.transpose(1, 2).reshape(batch, tokens, width))
        gate, up = self.up(self.norm_inner(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, layers, width, heads, kv_heads, inner, vocabulary, context):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, kv_heads, inner, context) for _ in range(layers))
        self.norm, self.head = RmsNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids, position, mask, cos, sin):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, position, mask, cos, sin)
        return self.head(self.norm(x)[:, -1:])


def _llama(tokens, layers, width, heads, kv_heads, inner, vocabulary=128256, context=1024):
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    # Sixteen gigabytes of random numbers take a GPU no time.
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        module = Llama(layers, width, heads, kv_heads, inner, vocabulary, context)
    module = module.cpu()
    cos, sin = torch.randn(tokens, width // heads), torch.randn(tokens, width // heads)
    torch.set_default_dtype(default)
    position = torch.arange(context - tokens, context)
    mask = torch.ones(tokens, context, dtype=torch.bool).tril(context - tokens)
    return module, (torch.randint(0, vocabulary, (1, tokens)), position, mask, cos, sin)


_1B = dict(layers=16, width=2048, heads=32, kv_heads=8, inner=8192)
_8B = dict(layers=32, width=4096, heads=32, kv_heads=8, inner=14336)


def llama_1b_decode():
    return _llama(1, **_1B)


def llama_8b_decode():
    return _llama(1, **_8B)


def llama_1b_prefill():
    return _llama(1024, **_1B)


class First(nn.Module):
    """A model of transformers as a function of one tensor, with its first result."""

    def __init__(self, model, argument):
        super().__init__()
        self.model, self.argument = model, argument

    def forward(self, x):
        return self.model(**{self.argument: x}, return_dict=False)[0]


def _bert(batch):
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(attn_implementation="sdpa"), add_pooling_layer=False).half()
    return First(model, "input_ids"), (torch.randint(0, 30000, (batch, 128)),)


def bert_b1():
    return _bert(1)


def bert_b32():
    return _bert(32)


def _vit(batch):
    from transformers import ViTConfig, ViTModel

    model = ViTModel(ViTConfig(attn_implementation="sdpa"), add_pooling_layer=False).half()
    return First(model, "pixel_values"), (torch.randn(batch, 3, 224, 224).half(),)


def vit_b1():
    return _vit(1)


def vit_b32():
    return _vit(32)


def _resnet(batch):
    from genie import torchvision_absence

    with torchvision_absence.placeholder():
        import timm

    module = timm.create_model("resnet50", pretrained=False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.7, 1.4)
    return module.half(), (torch.randn(batch, 3, 224, 224).half(),)


def resnet50_b1():
    return _resnet(1)


def resnet50_b32():
    return _resnet(32)


class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()

        def tower(*widths):
            return nn.Sequential(*[part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), nn.ReLU())])

        self.bottom, self.top = tower(13, 512, 256, 128), tower(128 + 27 * 26 // 2, 1024, 1024, 512, 256)
        self.out = nn.Linear(256, 1)
        self.tables = nn.ModuleList(nn.EmbeddingBag(100000, 128, mode="sum") for _ in range(26))
        row, column = torch.tril_indices(27, 27, -1)
        self.register_buffer("pairs", row * 27 + column)

    def forward(self, dense, indices, offsets):
        x = self.bottom(dense)
        features = torch.stack([x] + [table(indices[i], offsets) for i, table in enumerate(self.tables)], 1)
        interaction = torch.bmm(features, features.transpose(1, 2)).flatten(1).index_select(1, self.pairs)
        return torch.sigmoid(self.out(self.top(torch.cat([x, interaction], 1))))


def dlrm_b2048():
    batch = 2048
    return Dlrm(), (torch.randn(batch, 13), torch.randint(0, 100000, (26, batch * 4)), torch.arange(0, batch * 4, 4))


# name: (what makes it, the best of PyTorch in an earlier run, what is to be reached), in ms.
CASES = {
    "llama 1B decode": (llama_1b_decode, 1.521, 1.05),
    "llama 8B decode": (llama_8b_decode, 6.504, 5.6),
    "llama 1B prefill 1024": (llama_1b_prefill, 4.554, 4.3),
    "BERT-base s128 b1": (bert_b1, 0.755, 0.60),
    "BERT-base s128 b32": (bert_b32, 2.220, 2.2),
    "ViT-B/16 b1": (vit_b1, 1.356, 0.80),
    "ViT-B/16 b32": (vit_b32, 5.993, 5.9),
    "ResNet-50 b1": (resnet50_b1, 0.537, 0.40),
    "ResNet-50 b32": (resnet50_b32, 1.664, 1.45),
    "DLRM b2048": (dlrm_b2048, 0.470, 0.30),
}
