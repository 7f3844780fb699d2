"""torch.utils.checkpoint with dropout inside (it saves and restores random state by itself) and LayerDrop."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pytest_ckpt import TrainingRun


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(d, d), nn.Dropout(0.2), nn.GELU())

    def forward(self, x):
        return x + self.f(x)


class Deep(nn.Module):
    def __init__(self, d=6):
        super().__init__()
        self.blocks = nn.ModuleList([Block(d) for _ in range(3)])
        self.head = nn.Linear(d, 1)

    def forward(self, x):
        for block in self.blocks:
            if self.training and torch.rand(()) < 0.2:
                continue
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(x)


def make_run():
    model = Deep()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        x = torch.linspace(-1, 1, 30).view(5, 6).mul(i + 1)
        optimizer.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True).tanh()).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)
