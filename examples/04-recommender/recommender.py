"""A recommender as one writes it: dense features, sparse ones by tables, and what they say together.

Nothing here knows of Genie.
"""

import torch
from torch import nn


class Recommender(nn.Module):
    """The probability that each of a batch of visitors takes an offer."""

    def __init__(self, tables=8, rows=20000, width=32, dense=13):
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(dense, 128), nn.ReLU(), nn.Linear(128, width), nn.ReLU())
        self.tables = nn.ModuleList(nn.EmbeddingBag(rows, width, mode="sum") for _ in range(tables))
        pairs = (tables + 1) * tables // 2
        self.top = nn.Sequential(nn.Linear(pairs + width, 256), nn.ReLU(), nn.Linear(256, 1))
        self.register_buffer("pairs", torch.tril_indices(tables + 1, tables + 1, -1))

    def forward(self, features, items):
        dense = self.bottom(features)
        sparse = [table(items[i]) for i, table in enumerate(self.tables)]
        everything = torch.stack([dense, *sparse], 1)
        products = (everything @ everything.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return torch.sigmoid(self.top(torch.cat([dense, products], 1)))


def inputs(batch=64, tables=8, rows=20000, bag=4, dense=13):
    """Features of the visitors, and for each table the rows of each visitor's bag."""
    return torch.randn(batch, dense), torch.randint(0, rows, (tables, batch, bag))
