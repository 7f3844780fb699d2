"""Tied weights through three modules, and a component that is a part of another one; saved by the plugin."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 3)
        self.bias = nn.Parameter(torch.zeros(6))
        self.blocks = nn.ModuleList([nn.Linear(3, 3)] * 2)  # the same block twice

    def forward(self, x):
        h = self.encoder(x)
        for block in self.blocks:
            h = torch.tanh(block(h))
        return h @ self.encoder.weight + self.bias


def make_run():
    model = AutoEncoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.linspace(0, 4, 30).view(5, 6).add(i).cos()
        optimizer.zero_grad()
        loss = (model(x) - x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    # "encoder" is model.encoder: exported under its own name, too
    return TrainingRun(components={"model": model, "encoder": model.encoder, "optimizer": optimizer}, step=step)
