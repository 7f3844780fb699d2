"""Masks and position tables from an lru_cache (one on the module's functions, one per instance)."""
from functools import cached_property, lru_cache

import torch
from torch import nn

from pytest_ckpt import TrainingRun


@lru_cache(maxsize=8)
def causal_mask(n):
    return torch.full((n, n), float("-inf")).triu(1)


class Encoder(nn.Module):
    def __init__(self, d=12):
        super().__init__()
        self.d = d
        self.token = nn.Embedding(11, d)
        self.layer = nn.TransformerEncoderLayer(d, 2, 24, dropout=0.0, batch_first=True)
        self.head = nn.Linear(d, 11)
        self._cache = {}

    @cached_property
    def scale(self):
        return self.d ** 0.5

    def positions(self, n):
        if n not in self._cache:
            pos = torch.arange(n)[:, None] / 100 ** (torch.arange(self.d) / self.d)
            self._cache[n] = pos.sin()
        return self._cache[n]

    def forward(self, t):
        n = t.shape[1]
        x = self.token(t) * self.scale + self.positions(n)
        return self.head(self.layer(x, src_mask=causal_mask(n)))


def make_run():
    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def step(i):
        n = 4 + i % 3
        t = (torch.arange(3 * n).view(3, n) ** 2 + i) % 11
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(t)[:, :-1].transpose(1, 2), t[:, 1:])
        loss.backward()
        optimizer.step()
        return loss.item()

    # no save of its own: the two state dicts are all there is
    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)
