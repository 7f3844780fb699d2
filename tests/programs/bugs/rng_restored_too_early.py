"""The random state is restored first; then rebuilding the head and warming up the model draw from it.

https://github.com/huggingface/transformers/pull/46628 (RNG restored, then the skipped batches advance it)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() sets the random state, then constructs a new module, whose initialisation consumes random numbers."
NAMES = ["rng", "random"]


def build():
    return nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.3), nn.ReLU(), nn.Linear(10, 1))


class Run:
    def __init__(self, rng_last):
        self.rng_last = rng_last
        self.data = torch.randn(6, 7, 5, generator=torch.Generator().manual_seed(6))
        self.build()

    def build(self):
        self.model = build()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.02)

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x = self.data[i]
        loss = (self.model(x).squeeze(1) - x.prod(1)).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        state = {name: part.state_dict() for name, part in self.parts().items()}
        torch.save({"rng": torch.get_rng_state(), **state}, path)

    def load(self, path):
        saved = torch.load(path)
        if not self.rng_last:
            torch.set_rng_state(saved["rng"])
        self.build()
        for name, part in self.parts().items():
            part.load_state_dict(saved[name])
        if self.rng_last:
            torch.set_rng_state(saved["rng"])


def make_run(fixed):
    run = Run(rng_last=fixed)
    return TrainingRun(components=run.parts, step=run.step, save=run.save, load=run.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
