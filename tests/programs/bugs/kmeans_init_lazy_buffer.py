"""Buffers that exist only after the first forward: lucidrains/vector-quantize-pytorch#61, pytorch/pytorch#8104, pytorch/rl#2264."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The centroids are registered as None and created from the first batch; a fresh model ignores the saved ones (strict=False) and initialises again."
NAMES = ["centroid", "initted"]


class Clustering(nn.Module):
    def __init__(self, k, dim, lazy):
        super().__init__()
        self.k, self.lazy = k, lazy
        self.encode = nn.Linear(dim, dim)
        self.register_buffer("centroids", None if lazy else torch.zeros(k, dim))
        if not lazy:
            self.register_buffer("initted", torch.tensor(False))

    def _init_from(self, z):
        if self.lazy:
            if self.centroids is None:
                self.centroids = z[: self.k].clone()
        elif not self.initted:
            self.centroids.copy_(z[: self.k])
            self.initted.fill_(True)

    def forward(self, x):
        z = self.encode(x)
        self._init_from(z.detach())
        distance, nearest = torch.cdist(z, self.centroids.clone()).min(dim=1)
        with torch.no_grad():
            for c in nearest.unique().tolist():
                self.centroids[c].lerp_(z[nearest == c].mean(0), 0.2)
        return distance.square().mean()


class Trainer:
    def __init__(self, lazy):
        self.model = Clustering(4, 3, lazy)
        self.opt = torch.optim.RMSprop(self.model.parameters(), lr=5e-3)
        rng = torch.Generator().manual_seed(21)
        self.batches = torch.rand(6, 10, 3, generator=rng) * torch.arange(1, 7).view(6, 1, 1)

    def step(self, i):
        self.opt.zero_grad()
        loss = self.model(self.batches[i])
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        torch.save(dict(model=self.model.state_dict(), opt=self.opt.state_dict()), path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"], strict=False)
        self.opt.load_state_dict(ck["opt"])


def make_run(fixed):
    trainer = Trainer(lazy=not fixed)
    return TrainingRun(components={"model": trainer.model, "opt": trainer.opt}, step=trainer.step, save=trainer.save, load=trainer.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
