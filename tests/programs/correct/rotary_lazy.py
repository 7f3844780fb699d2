"""Attention with rotary embeddings whose tables are non-persistent buffers built at the first forward."""
import torch
from torch import nn
from torch.nn import functional as F

from pytest_ckpt import TrainingRun


class Rotary(nn.Module):
    def __init__(self, dim, base=10000.0):
        super().__init__()
        self.register_buffer("inv_freq", base ** (-torch.arange(0, dim, 2).float() / dim), persistent=False)
        self.register_buffer("cos", None, persistent=False)
        self.register_buffer("sin", None, persistent=False)
        self.seen = 0

    def forward(self, x):
        n = x.shape[-2]
        if n > self.seen:  # grow the tables
            angles = torch.outer(torch.arange(n).float(), self.inv_freq)
            self.cos, self.sin = angles.cos(), angles.sin()
            self.seen = n
        cos, sin = self.cos[:n], self.sin[:n]
        a, b = x[..., ::2], x[..., 1::2]
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, d=16, heads=2):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.rotary = Rotary(d // heads)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(self.rotary(q), self.rotary(k), v, is_causal=True)
        return x + self.out(y.transpose(1, 2).reshape(b, n, d))


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.blocks = nn.Sequential(Attention(), nn.LayerNorm(16), Attention())

    def forward(self, tokens):
        return self.blocks(self.embed(tokens)) @ self.embed.weight.T


def make_run():
    model = LM()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95))

    def step(i):
        n = [9, 5, 12, 7][i % 4]
        tokens = (torch.arange(2 * n).view(2, n) * (i + 3)) % 20
        opt.zero_grad()
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        opt.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "opt": opt.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        opt.load_state_dict(s["opt"])

    return TrainingRun(components={"model": model, "opt": opt}, step=step, save=save, load=load)
