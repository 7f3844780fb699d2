"""Modules whose layers share a parameter."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["TiedLayers", "TiedTokens"]


class TiedLayers(nn.Module):
    """Two square layers with one weight between them, and a bias each."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Linear(features, features)
        self.second = nn.Linear(features, features)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the input's shape."""
        output: torch.Tensor = self.second(torch.tanh(self.first(x)))
        return output


class TiedTokens(nn.Module):
    """A language model in small: the embedding of the tokens is also the weight of the layer that predicts them."""

    def __init__(self, vocabulary: int, features: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features)
        self.head = nn.Linear(features, vocabulary, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, length, vocabulary)`` logits for ``(batch, length)`` tokens."""
        logits: torch.Tensor = self.head(torch.tanh(self.embedding(tokens)))
        return logits
