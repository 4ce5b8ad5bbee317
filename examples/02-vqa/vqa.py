"""Visual question answering: a vision transformer, BERT, and layers in which the words look at the image.

Plain PyTorch and transformers. Nothing here knows of Genie.
"""

import torch
from torch import nn
from transformers import BertConfig, BertModel, ViTConfig, ViTModel


class FusionLayer(nn.Module):
    """The words attend to the patches of the image, then to nothing: a feed-forward network."""

    def __init__(self, width, heads):
        super().__init__()
        self.query_norm = nn.LayerNorm(width)
        self.cross = nn.MultiheadAttention(width, heads, batch_first=True)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, words, patches):
        mixed, _ = self.cross(self.query_norm(words), patches, patches, need_weights=False)
        words = words + mixed
        return words + self.inner(self.inner_norm(words))


class Vqa(nn.Module):
    """Scores of the answers to a question about an image."""

    def __init__(self, vision, text, fusion_layers=2, answers=3129):
        super().__init__()
        width, heads = text.hidden_size, text.num_attention_heads
        self.vision = ViTModel(vision, add_pooling_layer=False)
        self.text = BertModel(text, add_pooling_layer=False)
        self.project = nn.Linear(vision.hidden_size, width)
        self.fusion = nn.ModuleList(FusionLayer(width, heads) for _ in range(fusion_layers))
        self.answer = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.LayerNorm(2 * width), nn.Linear(2 * width, answers))

    def forward(self, pixels, question, mask):
        patches = self.project(self.vision(pixel_values=pixels).last_hidden_state)
        words = self.text(input_ids=question, attention_mask=mask).last_hidden_state
        for layer in self.fusion:
            words = layer(words, patches)
        return self.answer(words[:, 0])


def make(layers=12, image=224, patch=16, width=768, heads=12, vocabulary=30522, answers=3129):
    """The model with random weights."""
    shape = dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width)
    vision = ViTConfig(image_size=image, patch_size=patch, **shape)
    text = BertConfig(vocab_size=vocabulary, **shape)
    return Vqa(vision, text, answers=answers).eval().requires_grad_(False)


def inputs(batch=1, image=224, words=20, vocabulary=30522):
    """An image, a question and its mask."""
    question = torch.randint(0, vocabulary, (batch, words))
    return torch.randn(batch, 3, image, image), question, torch.ones(batch, words, dtype=torch.int64)
