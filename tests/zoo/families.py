"""The families of models that the recognisers are measured on: real architectures, small, with seeded random weights.

Each function returns a `models.Case`. `labels.toml` says what each model is, from its source.
"""

import importlib.util
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

from zoo import models

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
VOCABULARY, LAYERS, WIDTH, HEADS, CONTEXT = 199, 3, 64, 4, 32
SHAPE = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS)


def _case(module, *args, **kwargs):
    return models.Case(models._seeded(module), args, kwargs)


def _ids(batch=2, length=12, vocabulary=VOCABULARY):
    return torch.randint(3, vocabulary, (batch, length))


#===-- Decoders --------------------------------------------------------------------------------------------------===#

def _decoder(name):
    """A causal language model of transformers by its family's name."""
    import transformers as t

    inner = dict(intermediate_size=2 * WIDTH)
    tokens = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    configs = {
        "llama": lambda: t.LlamaConfig(num_key_value_heads=2, **SHAPE, **inner),
        "gpt2": lambda: t.GPT2Config(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, **tokens),
        "qwen2": lambda: t.Qwen2Config(num_key_value_heads=2, **SHAPE, **inner),
        "mistral": lambda: t.MistralConfig(num_key_value_heads=2, sliding_window=8, **SHAPE, **inner),
        "phi3": lambda: t.Phi3Config(num_key_value_heads=4, **SHAPE, **inner, **tokens),
        "gemma2": lambda: t.Gemma2Config(num_key_value_heads=2, head_dim=16, sliding_window=8, **SHAPE, **inner),
        "falcon": lambda: t.FalconConfig(**SHAPE, **tokens),
        "opt": lambda: t.OPTConfig(ffn_dim=2 * WIDTH, word_embed_proj_dim=WIDTH, max_position_embeddings=64, **SHAPE, **tokens),
        "bloom": lambda: t.BloomConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, **tokens),
        "gpt_neox": lambda: t.GPTNeoXConfig(**SHAPE, **inner, **tokens),
        "qwen3": lambda: t.Qwen3Config(num_key_value_heads=2, head_dim=16, **SHAPE, **inner),
        "olmo2": lambda: t.Olmo2Config(num_key_value_heads=2, **SHAPE, **inner, **tokens),
        "olmoe": lambda: t.OlmoeConfig(num_key_value_heads=2, num_experts=4, num_experts_per_tok=2, **SHAPE, **inner, **tokens),
        "mamba": lambda: t.MambaConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=2, state_size=8, **tokens),
        "stablelm": lambda: t.StableLmConfig(num_key_value_heads=4, **SHAPE, **inner, **tokens),
        "cohere": lambda: t.CohereConfig(num_key_value_heads=2, **SHAPE, **inner, **tokens),
        "starcoder2": lambda: t.Starcoder2Config(num_key_value_heads=2, **SHAPE, **inner, **tokens),
        "phi": lambda: t.PhiConfig(**SHAPE, **inner, **tokens),
        "mpt": lambda: t.MptConfig(vocab_size=VOCABULARY, d_model=WIDTH, n_layers=LAYERS, n_heads=HEADS, max_seq_len=64, expansion_ratio=2),
        "gpt_bigcode": lambda: t.GPTBigCodeConfig(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=64, **tokens),
        "mixtral": lambda: t.MixtralConfig(num_key_value_heads=2, num_local_experts=4, **SHAPE, **inner),
    }
    classes = {
        "llama": t.LlamaForCausalLM, "gpt2": t.GPT2LMHeadModel, "qwen2": t.Qwen2ForCausalLM,
        "mistral": t.MistralForCausalLM, "phi3": t.Phi3ForCausalLM, "gemma2": t.Gemma2ForCausalLM,
        "falcon": t.FalconForCausalLM, "mixtral": t.MixtralForCausalLM, "opt": t.OPTForCausalLM,
        "bloom": t.BloomForCausalLM, "gpt_neox": t.GPTNeoXForCausalLM, "qwen3": t.Qwen3ForCausalLM,
        "olmo2": t.Olmo2ForCausalLM, "olmoe": t.OlmoeForCausalLM, "mamba": t.MambaForCausalLM,
        "stablelm": t.StableLmForCausalLM, "cohere": t.CohereForCausalLM, "starcoder2": t.Starcoder2ForCausalLM,
        "phi": t.PhiForCausalLM, "mpt": t.MptForCausalLM, "gpt_bigcode": t.GPTBigCodeForCausalLM,
    }
    config = configs[name]()
    if name == "mixtral":
        config._experts_implementation = "batched_mm"
    return classes[name](config)


class _Logits(nn.Module):
    """The forward pass over a whole sequence."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model(input_ids=ids, use_cache=False).logits


class _Cached(nn.Module):
    """A step with a static cache, whose tensors are buffers that the step writes.

    The wrapper of transformers leaves the cache's tensors to plain objects, which torch.export takes for constants; here
    forward binds the buffers to the cache before every call.
    """

    def __init__(self, model, is_greedy=False):
        super().__init__()
        from transformers.cache_utils import StaticCache, StaticLayer

        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
        if config.model_type == "falcon":
            heads = 1 if config.multi_query else config.num_attention_heads
        head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.model, self.is_greedy = model, is_greedy
        self.cache = StaticCache(max_cache_len=CONTEXT, config=config)
        self.cache.layers = [StaticLayer(CONTEXT) for _ in self.cache.layers]
        self.cache.early_initialization(1, heads, head_width, torch.float32, torch.device("cpu"))
        for i, layer in enumerate(self.cache.layers):
            past = 5
            keys, values = torch.zeros_like(layer.keys), torch.zeros_like(layer.values)
            keys[:, :, :past], values[:, :, :past] = torch.randn_like(keys[:, :, :past]), torch.randn_like(values[:, :, :past])
            self.register_buffer(f"key_cache_{i}", keys)
            self.register_buffer(f"value_cache_{i}", values)
            self.register_buffer(f"length_{i}", torch.tensor(past))

    def forward(self, ids, position):
        for i, layer in enumerate(self.cache.layers):
            layer.keys, layer.values = getattr(self, f"key_cache_{i}"), getattr(self, f"value_cache_{i}")
            layer.cumulative_length = getattr(self, f"length_{i}")
        logits = self.model(input_ids=ids, position_ids=position, past_key_values=self.cache, use_cache=True).logits
        for layer in self.cache.layers:  # an export's placeholders must not outlive it
            layer.keys = layer.values = layer.cumulative_length = None
        return logits.argmax(-1) if self.is_greedy else logits


def _forward(name):
    return lambda: _case(_Logits(_decoder(name)), _ids())


def _step(name, length=1, **options):
    return lambda: _case(_Cached(_decoder(name), **options), _ids(1, length), torch.arange(5, 5 + length)[None])


#===-- Text encoders, translation -------------------------------------------------------------------------------===#

def _bert_like(config_name, class_name, **options):
    def make():
        import transformers as t

        config = getattr(t, config_name)(**SHAPE, intermediate_size=2 * WIDTH, **options)
        ids, mask = models._tokens(VOCABULARY)
        return _case(getattr(t, class_name)(config), input_ids=ids.clamp(min=3), attention_mask=mask)

    return make


class _Seq2Seq(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, decoder_ids):
        return self.model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids, use_cache=False).logits


def _seq2seq(model):
    ids, mask = models._tokens(VOCABULARY)
    return _case(_Seq2Seq(model), ids, mask, _ids(2, 9))


def t5():
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=16, d_ff=128, num_layers=LAYERS, num_heads=HEADS)
    return _seq2seq(T5ForConditionalGeneration(config))


def xlnet():
    from transformers import XLNetConfig, XLNetModel

    config = XLNetConfig(vocab_size=VOCABULARY, d_model=WIDTH, n_layer=LAYERS, n_head=HEADS, d_inner=2 * WIDTH)
    return models.Case(models._seeded(_Encoder(XLNetModel(config))), (_ids(),))


def marian():
    from transformers import MarianConfig, MarianMTModel

    sizes = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in
             dict(layers=LAYERS, ffn_dim=2 * WIDTH, attention_heads=HEADS).items()}
    tokens = dict(pad_token_id=0, eos_token_id=2, decoder_start_token_id=0)
    return _seq2seq(MarianMTModel(MarianConfig(vocab_size=VOCABULARY, d_model=WIDTH, max_position_embeddings=64, **sizes, **tokens)))


def bart():
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in
             dict(layers=LAYERS, ffn_dim=2 * WIDTH, attention_heads=HEADS).items()}
    config = BartConfig(vocab_size=VOCABULARY, d_model=WIDTH, max_position_embeddings=64, **sizes)
    return _seq2seq(BartForConditionalGeneration(config))


class Tagger(nn.Module):
    """A class for every token by two LSTM layers that read both ways."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.lstm = nn.LSTM(32, 24, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 9)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0])


class Classifier(nn.Module):
    """A class for a text by the last state of a GRU."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.gru = nn.GRU(32, 24, batch_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[1][-1])


def gru_classifier():
    return _case(Classifier(), _ids())


def lstm_tagger():
    return _case(Tagger(), _ids())


#===-- Vision ----------------------------------------------------------------------------------------------------===#

def _timm(name, size, **options):
    return lambda: models.Case(models._timm(name, **options), (torch.randn(1, 3, size, size),))


def segformer():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(depths=[2, 2, 2, 2], hidden_sizes=[16, 32, 48, 64], decoder_hidden_size=32, num_labels=5,
                             num_attention_heads=[1, 2, 3, 4])
    return _case(SegformerForSemanticSegmentation(config), torch.randn(1, 3, 64, 64))


def yolos():
    from transformers import YolosConfig, YolosForObjectDetection

    config = YolosConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH,
                         image_size=[64, 64], patch_size=16, num_detection_tokens=10, use_mid_position_embeddings=False, num_labels=5)
    return _case(_Recogniser(YolosForObjectDetection(config)), torch.randn(1, 3, 64, 64))


class Segmenter(nn.Module):
    """A U-Net that labels every pixel: as many channels out as in, and no time."""

    def __init__(self, width=8):
        super().__init__()

        def block(a, b):
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())

        self.down1, self.down2, self.middle = block(3, width), block(width, 2 * width), block(2 * width, 2 * width)
        self.up2, self.up1, self.out = block(4 * width, width), block(2 * width, width), nn.Conv2d(width, 3, 1)

    def forward(self, image):
        a = self.down1(image)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        c = self.up2(torch.cat([b, F.interpolate(c, scale_factor=2.0)], 1))
        return self.out(self.up1(torch.cat([a, F.interpolate(c, scale_factor=2.0)], 1)))


def segmenter():
    return _case(Segmenter(), torch.randn(1, 3, 32, 32))


#===-- Several modalities -----------------------------------------------------------------------------------------===#

class _Similarity(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, pixels, mask):
        return self.model(input_ids=ids, pixel_values=pixels, attention_mask=mask).logits_per_image


def clip():
    from transformers import CLIPConfig, CLIPModel

    inner = dict(num_hidden_layers=LAYERS, num_attention_heads=HEADS, hidden_size=WIDTH, intermediate_size=2 * WIDTH)
    config = CLIPConfig(
        text_config=dict(vocab_size=VOCABULARY, max_position_embeddings=16, bos_token_id=1, eos_token_id=2, **inner),
        vision_config=dict(image_size=32, patch_size=8, **inner), projection_dim=32)
    ids = _ids()
    ids[:, -1] = 2
    return _case(_Similarity(CLIPModel(config)), ids, torch.randn(3, 3, 32, 32), torch.ones(2, 12, dtype=torch.int64))


def _example(folder, name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vqa():
    example = _example("02-vqa", "vqa")
    model = example.make(layers=LAYERS, image=32, patch=8, width=WIDTH, heads=HEADS, vocabulary=VOCABULARY, answers=50)
    return _case(model, *example.inputs(2, 32, 12, VOCABULARY))


def siglip():
    from transformers import SiglipConfig, SiglipModel

    inner = dict(num_hidden_layers=LAYERS, num_attention_heads=HEADS, hidden_size=WIDTH, intermediate_size=2 * WIDTH)
    config = SiglipConfig(text_config=dict(vocab_size=VOCABULARY, max_position_embeddings=16, **inner),
                          vision_config=dict(image_size=32, patch_size=8, **inner))
    return _case(_Similarity(SiglipModel(config)), _ids(), torch.randn(3, 3, 32, 32), torch.ones(2, 12, dtype=torch.int64))


class Captioner(nn.Module):
    """A language model that reads the patches of an image in front of the words."""

    def __init__(self):
        super().__init__()
        from transformers import LlamaConfig, LlamaForCausalLM, ViTConfig, ViTModel

        shape = dict(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH)
        self.vision = ViTModel(ViTConfig(image_size=32, patch_size=8, **shape), add_pooling_layer=False)
        self.project = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.language = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **shape))

    def forward(self, pixels, ids):
        patches = self.project(self.vision(pixel_values=pixels).last_hidden_state)
        words = self.language.get_input_embeddings()(ids)
        return self.language(inputs_embeds=torch.cat([patches, words], 1), use_cache=False).logits


def captioner():
    return _case(Captioner(), torch.randn(1, 3, 32, 32), _ids(1, 7))


#===-- Speech ----------------------------------------------------------------------------------------------------===#

class _Transcriber(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, features, decoder_ids):
        return self.model(input_features=features, decoder_input_ids=decoder_ids, use_cache=False).logits


def whisper():
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    sizes = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in
             dict(layers=LAYERS, ffn_dim=2 * WIDTH, attention_heads=HEADS).items()}
    config = WhisperConfig(vocab_size=VOCABULARY, d_model=WIDTH, max_source_positions=100, max_target_positions=32,
                           pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=3,
                           begin_suppress_tokens=None, **sizes)
    return _case(_Transcriber(WhisperForConditionalGeneration(config)), torch.randn(1, 80, 200), _ids(1, 7))


class _Recogniser(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, samples):
        return self.model(samples).logits


def wav2vec2():
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(vocab_size=32, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                            intermediate_size=2 * WIDTH, conv_dim=(32,) * 4, conv_stride=(5, 4, 4, 2),
                            conv_kernel=(10, 8, 4, 3), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
                            num_feat_extract_layers=4)
    return _case(_Recogniser(Wav2Vec2ForCTC(config)), torch.randn(1, 4000))


def hubert():
    from transformers import HubertConfig, HubertModel

    config = HubertConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH,
                          conv_dim=(32,) * 4, conv_stride=(5, 4, 4, 2), conv_kernel=(10, 8, 4, 3),
                          num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, num_feat_extract_layers=4)
    return models.Case(models._seeded(_Encoder(HubertModel(config))), (torch.randn(1, 4000),))


def unispeech():
    from transformers import UniSpeechConfig, UniSpeechModel

    config = UniSpeechConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH,
                             conv_dim=(32,) * 4, conv_stride=(5, 4, 4, 2), conv_kernel=(10, 8, 4, 3),
                             num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, num_feat_extract_layers=4)
    return models.Case(models._seeded(_Encoder(UniSpeechModel(config))), (torch.randn(1, 4000),))


class _Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).last_hidden_state


def spectrogram_transformer():
    from transformers import ASTConfig, ASTModel

    config = ASTConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH,
                       max_length=64, num_mel_bins=64)
    return _case(_Encoder(ASTModel(config)), torch.randn(1, 64, 64))


#===-- Recommenders ----------------------------------------------------------------------------------------------===#

def dlrm():
    return models.dlrm(False)


class Dcn(nn.Module):
    """A deep and cross network: categories are looked up, then crossed with the numbers and with each other."""

    def __init__(self, rows=(100, 50, 30, 20, 70), width=8, dense=6, layers=3):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in rows)
        size = len(rows) * width + dense
        self.cross = nn.ModuleList(nn.Linear(size, size) for _ in range(layers))
        self.deep = nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.score = nn.Linear(size + 32, 1)

    def forward(self, numbers, categories):
        x0 = torch.cat([table(categories[:, i]) for i, table in enumerate(self.tables)] + [numbers], 1)
        x = x0
        for layer in self.cross:
            x = x0 * layer(x) + x
        return torch.sigmoid(self.score(torch.cat([x, self.deep(x0)], 1)))


def dcn():
    return _case(Dcn(), torch.randn(16, 6), torch.randint(0, 20, (16, 5)))


class SasRec(nn.Module):
    """Self-attentive sequential recommendation: what was bought, in order, scores what may come next."""

    def __init__(self, items=300, width=48, heads=2, layers=2, length=20):
        super().__init__()
        self.items, self.positions = nn.Embedding(items, width), nn.Embedding(length, width)
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.attentions = nn.ModuleList(nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(layers))
        self.inner_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.inners = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(layers))
        self.last_norm = nn.LayerNorm(width)

    def forward(self, history, candidates):
        length = history.shape[1]
        x = self.items(history) * self.items.embedding_dim**0.5 + self.positions(torch.arange(length))
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        for norm, attention, inner_norm, inner in zip(self.attention_norms, self.attentions, self.inner_norms, self.inners):
            query = norm(x)
            x = x + attention(query, x, x, attn_mask=later, need_weights=False)[0]
            x = x + inner(inner_norm(x))
        last = self.last_norm(x)[:, -1]
        return (self.items(candidates) @ last.unsqueeze(-1)).squeeze(-1)


def sasrec():
    return _case(SasRec(), torch.randint(1, 300, (3, 20)), torch.randint(1, 300, (3, 10)))


class DeepFm(nn.Module):
    """A factorisation machine and a deep network over the rows of one table, in which each column has its part."""

    def __init__(self, sizes=(40, 30, 20, 10), width=8):
        super().__init__()
        self.register_buffer("starts", torch.tensor([0, *torch.tensor(sizes).cumsum(0)[:-1]]))
        self.linear, self.rows = nn.Embedding(sum(sizes), 1), nn.Embedding(sum(sizes), width)
        self.deep = nn.Sequential(nn.Linear(len(sizes) * width, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, columns):
        ids = columns + self.starts
        rows = self.rows(ids)
        pairs = rows.sum(1) ** 2 - (rows**2).sum(1)
        return torch.sigmoid(self.linear(ids).sum(1) + 0.5 * pairs.sum(1, keepdim=True) + self.deep(rows.flatten(1)))


def deepfm():
    return _case(DeepFm(), torch.randint(0, 10, (16, 4)))


class Ncf(nn.Module):
    """Neural collaborative filtering: a user and an item, once multiplied and once through a network."""

    def __init__(self, users=60, items=80, width=16):
        super().__init__()
        self.users, self.items = nn.Embedding(users, width), nn.Embedding(items, width)
        self.deep_users, self.deep_items = nn.Embedding(users, width), nn.Embedding(items, width)
        self.deep = nn.Sequential(nn.Linear(2 * width, 32), nn.ReLU(), nn.Linear(32, width), nn.ReLU())
        self.score = nn.Linear(2 * width, 1)

    def forward(self, user, item):
        deep = self.deep(torch.cat([self.deep_users(user), self.deep_items(item)], 1))
        return torch.sigmoid(self.score(torch.cat([self.users(user) * self.items(item), deep], 1)))


def ncf():
    return _case(Ncf(), torch.randint(0, 60, (16,)), torch.randint(0, 80, (16,)))


class Din(nn.Module):
    """A deep interest network: what was looked at is weighed by how it relates to the candidate."""

    def __init__(self, users=60, items=80, width=16):
        super().__init__()
        self.users, self.items = nn.Embedding(users, width), nn.Embedding(items, width)
        self.weigh = nn.Sequential(nn.Linear(4 * width, 32), nn.Sigmoid(), nn.Linear(32, 1))
        self.deep = nn.Sequential(nn.Linear(3 * width, 48), nn.PReLU(), nn.Linear(48, 1))

    def forward(self, user, history, candidate):
        seen, wanted = self.items(history), self.items(candidate)
        each = wanted[:, None].expand_as(seen)
        weight = self.weigh(torch.cat([seen, each, seen - each, seen * each], -1)) * (history > 0)[..., None]
        interest = (weight * seen).sum(1)
        return torch.sigmoid(self.deep(torch.cat([self.users(user), interest, wanted], 1)))


def din():
    return _case(Din(), torch.randint(0, 60, (8,)), torch.randint(0, 80, (8, 12)), torch.randint(0, 80, (8,)))


class TwoTower(nn.Module):
    """Retrieval: users and items meet only in the product of their vectors."""

    def __init__(self, user_rows=(60, 7, 12), item_rows=(80, 9), width=16):
        super().__init__()
        self.user_tables = nn.ModuleList(nn.Embedding(count, width) for count in user_rows)
        self.item_tables = nn.ModuleList(nn.Embedding(count, width) for count in item_rows)
        self.user_tower = nn.Sequential(nn.Linear(3 * width, 48), nn.ReLU(), nn.Linear(48, 24))
        self.item_tower = nn.Sequential(nn.Linear(2 * width + 4, 48), nn.ReLU(), nn.Linear(48, 24))

    def forward(self, users, items, prices):
        user = self.user_tower(torch.cat([table(users[:, i]) for i, table in enumerate(self.user_tables)], 1))
        item = self.item_tower(torch.cat([table(items[:, i]) for i, table in enumerate(self.item_tables)] + [prices], 1))
        return F.normalize(user, dim=-1) @ F.normalize(item, dim=-1).T


def two_tower():
    return _case(TwoTower(), torch.randint(0, 7, (4, 3)), torch.randint(0, 9, (16, 2)), torch.randn(16, 4))


#===-- Diffusion -------------------------------------------------------------------------------------------------===#

def _time_embedding(time, width):
    angles = time[:, None].float() * torch.exp(-torch.arange(width // 2) * (9.2 / (width // 2)))
    return torch.cat([angles.cos(), angles.sin()], -1)


class _ResidualBlock(nn.Module):
    def __init__(self, width, out, time):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, width), nn.Conv2d(width, out, 3, padding=1)
        self.time = nn.Linear(time, out)
        self.norm2, self.conv2 = nn.GroupNorm(4, out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(width, out, 1) if width != out else nn.Identity()

    def forward(self, x, time):
        y = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(y)))


class UNet(nn.Module):
    """Predicts the noise of an image at a time step."""

    def __init__(self, width=16):
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.down1, self.shrink = _ResidualBlock(width, width, 4 * width), nn.Conv2d(width, width, 3, 2, 1)
        self.down2 = _ResidualBlock(width, 2 * width, 4 * width)
        self.middle = _ResidualBlock(2 * width, 2 * width, 4 * width)
        self.grow, self.up = nn.Conv2d(2 * width, width, 3, padding=1), _ResidualBlock(2 * width, width, 4 * width)
        self.norm, self.out = nn.GroupNorm(4, width), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, noisy, time):
        t = self.time(_time_embedding(time, self.width))
        x = self.down1(self.stem(noisy), t)
        y = self.middle(self.down2(self.shrink(x), t), t)
        y = self.grow(F.interpolate(y, scale_factor=2.0, mode="nearest"))
        return self.out(F.silu(self.norm(self.up(torch.cat([x, y], 1), t))))


def unet():
    return _case(UNet(), torch.randn(2, 3, 16, 16), torch.tensor([10, 500]))


class _DitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x, time):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(F.silu(time))[:, None].chunk(6, -1)
        q, k, v = self.qkv(self.norm1(x) * (1 + scale1) + shift1).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + gate1 * self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + gate2 * self.inner(self.norm2(x) * (1 + scale2) + shift2)


class Dit(nn.Module):
    """A diffusion transformer over patches of a latent image."""

    def __init__(self, width=WIDTH, layers=LAYERS, patch=2, channels=4, side=8):
        super().__init__()
        self.width, self.patch, self.channels, self.side = width, patch, channels, side
        self.stem = nn.Conv2d(channels, width, patch, patch)
        self.positions = nn.Parameter(torch.randn(1, (side // patch) ** 2, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_DitBlock(width, HEADS) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, patch * patch * channels)

    def forward(self, noisy, time):
        x = self.stem(noisy).flatten(2).transpose(1, 2) + self.positions
        t = self.time(_time_embedding(time, self.width))
        for block in self.blocks:
            x = block(x, t)
        side, patch = self.side // self.patch, self.patch
        x = self.out(self.norm(x)).view(-1, side, side, patch, patch, self.channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, self.channels, self.side, self.side)


def dit():
    return _case(Dit(), torch.randn(2, 4, 8, 8), torch.tensor([3, 900]))


class TextToImage(nn.Module):
    """A step of diffusion whose image attends to the states of a text."""

    def __init__(self, width=32):
        super().__init__()
        from transformers import BertConfig, BertModel

        self.width = width
        self.text = BertModel(BertConfig(intermediate_size=2 * WIDTH, **SHAPE), add_pooling_layer=False)
        self.time = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, 4 * width))
        self.stem, self.first = nn.Conv2d(4, width, 3, padding=1), _ResidualBlock(width, width, 4 * width)
        self.cross = nn.MultiheadAttention(width, 4, kdim=WIDTH, vdim=WIDTH, batch_first=True)
        self.second, self.out = _ResidualBlock(width, width, 4 * width), nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, noisy, time, ids):
        states = self.text(input_ids=ids).last_hidden_state
        t = self.time(_time_embedding(time, self.width))
        x = self.first(self.stem(noisy), t)
        pixels = x.flatten(2).transpose(1, 2)
        mixed = self.cross(pixels, states, states, need_weights=False)[0].transpose(1, 2).reshape(x.shape)
        return self.out(self.second(x + mixed, t))


def text_to_image():
    return _case(TextToImage(), torch.randn(2, 4, 8, 8), torch.tensor([7, 400]), _ids(2, 9))


#===-- Others ----------------------------------------------------------------------------------------------------===#

class Forecaster(nn.Module):
    """A transformer over a window of sensors: no text, no image, no sound."""

    def __init__(self, sensors=7, width=32):
        super().__init__()
        self.embed = nn.Linear(sensors, width)
        self.attentions = nn.ModuleList(nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2))
        self.inners = nn.ModuleList(nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2))
        self.out = nn.Linear(width, sensors)

    def forward(self, window):
        x = self.embed(window)
        for attention, inner in zip(self.attentions, self.inners):
            x = x + attention(x, x, x, need_weights=False)[0]
            x = x + inner(x)
        return self.out(x[:, -1])


def forecaster():
    return _case(Forecaster(), torch.randn(2, 24, 7))


def mlp():
    return models.mlp(False)


#===-- The table ---------------------------------------------------------------------------------------------------===#

DECODERS = ("llama", "gpt2", "qwen2", "mistral", "phi3", "gemma2", "falcon")
MORE_DECODERS = ("opt", "bloom", "gpt_neox", "qwen3", "olmo2")
THIRD_DECODERS = ("stablelm", "cohere", "starcoder2", "phi")
SWIN = dict(img_size=112, depths=(2, 2, 2), embed_dim=32, num_heads=(2, 4, 8))

FAMILIES = {
    "decoder": {f"{name}_forward": _forward(name) for name in DECODERS + MORE_DECODERS + THIRD_DECODERS + ("mpt", "gpt_bigcode")},
    "decode-step": {f"{name}_step": _step(name) for name in DECODERS + MORE_DECODERS + THIRD_DECODERS if name != "opt"}  # it reads a length on the host
    | {"llama_greedy": _step("llama", is_greedy=True), "llama_cached_prefill": _step("llama", length=6)},
    "mixture-of-experts": {
        "mixtral_forward": _forward("mixtral"), "mixtral_step": _step("mixtral"), "olmoe_forward": _forward("olmoe"),
    },
    "state-space": {"mamba_forward": _forward("mamba")},
    "text-encoder": {
        "bert_encoder": _bert_like("BertConfig", "BertModel"),
        "roberta_encoder": _bert_like("RobertaConfig", "RobertaModel"),
        "electra": _bert_like("ElectraConfig", "ElectraForPreTraining", embedding_size=32),
        "albert": _bert_like("AlbertConfig", "AlbertModel", embedding_size=32),
        "deberta": _bert_like("DebertaV2Config", "DebertaV2Model", relative_attention=True, pos_att_type=["p2c", "c2p"]),
        "mpnet": _bert_like("MPNetConfig", "MPNetModel"),
        "mobilebert": _bert_like("MobileBertConfig", "MobileBertModel", embedding_size=32, intra_bottleneck_size=32, num_feedforward_networks=2),
        "rembert": _bert_like("RemBertConfig", "RemBertModel", input_embedding_size=32),
        "xlnet": xlnet,
    },
    "translation": {"t5": t5, "bart": bart, "marian": marian},
    "vision-transformer": {
        "vit_small": _timm("vit_tiny_patch16_224", 64, img_size=64, depth=LAYERS),
        "cait": _timm("cait_xxs24_224", 64, img_size=64, depth=LAYERS),
        "swin": _timm("swin_tiny_patch4_window7_224", 112, **SWIN),
        "deit": _timm("deit_tiny_patch16_224", 64, img_size=64, depth=LAYERS),
        "beit": _timm("beit_base_patch16_224", 64, img_size=64, depth=LAYERS, embed_dim=64, num_heads=4),
        "mobilevit": _timm("mobilevit_xxs", 64),
        "yolos": yolos,
    },
    "convolutional": {
        "convnext": _timm("convnext_atto", 64, depths=(2, 2, 3, 2), dims=(16, 32, 48, 64)),
        "resnet18": _timm("resnet18", 64),
        "efficientnet": _timm("efficientnet_b0", 64),
        "regnet": _timm("regnety_002", 64),
        "densenet": _timm("densenet121", 64, growth_rate=8, block_config=(2, 2, 2, 2)),
        "mixer": _timm("mixer_s32_224", 64, img_size=64),
        "segformer": segformer,
        "segmenter": segmenter,
    },
    "several-modalities": {"clip": clip, "vqa": vqa, "siglip": siglip, "captioner": captioner},
    "speech": {"whisper": whisper, "wav2vec2": wav2vec2, "hubert": hubert, "unispeech": unispeech, "spectrogram_transformer": spectrogram_transformer},
    "recommender": {"dlrm_bags": dlrm, "dcn": dcn, "sasrec": sasrec, "deepfm": deepfm, "ncf": ncf, "din": din, "two_tower": two_tower},
    "recurrent": {"lstm_tagger": lstm_tagger, "gru_classifier": gru_classifier},
    "diffusion": {"unet": unet, "dit": dit, "text_to_image": text_to_image},
    "other": {"forecaster": forecaster, "mlp": mlp},
}
MODELS = {name: maker for family in FAMILIES.values() for name, maker in family.items()}
# What every run of the tests takes: one of each kind of workload.
SAMPLE = ("llama_forward", "llama_step", "bart", "vqa", "whisper", "dlrm_bags", "din", "unet")


def make(name):
    """The case of that name; equal names give equal weights and inputs."""
    torch.manual_seed(0)
    return MODELS[name]()
