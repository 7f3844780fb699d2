"""A stateful sampler that reports its seed and its epoch, but not how far it is.

https://github.com/lhotse-speech/lhotse/issues/1401, https://github.com/huggingface/accelerate/issues/4195
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The sampler's cursor within the epoch is missing in its state_dict(); a resumed epoch starts at its first batch."
NAMES = ["cursor", "sampler", "position"]


class EpochSampler:
    """Endless batches of indices; each epoch has an order of its own."""

    def __init__(self, size, batch, seed):
        self.size, self.batch, self.seed = size, batch, seed
        self.epoch = self.cursor = 0

    def __next__(self):
        g = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        order = torch.randperm(self.size, generator=g)
        indices = order[self.cursor : self.cursor + self.batch]
        self.cursor += self.batch
        if self.cursor >= self.size:
            self.epoch, self.cursor = self.epoch + 1, 0
        return indices

    def state_dict(self):
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state):
        self.__dict__.update(state)


class ExactSampler(EpochSampler):
    def state_dict(self):
        return super().state_dict() | {"cursor": self.cursor}


def make_run(fixed):
    torch.manual_seed(33)
    table = torch.randn(12, 4)
    sampler = (ExactSampler if fixed else EpochSampler)(size=12, batch=3, seed=2)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)

    def step(i):
        x = table[next(sampler)]
        loss = (model(x).squeeze(1) - x.square().sum(1)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "sampler": sampler}
    return TrainingRun(components=parts, step=step)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
