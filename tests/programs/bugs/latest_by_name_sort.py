"""The latest file found by sorting names: allenai/open-instruct#542, Lightning-AI/litgpt#661, nvidia-cosmos/cosmos-rl#232, iantbutler01/ditty#2."""
import os
import re

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() takes sorted(os.listdir(...))[-1]; 'samples-8.pt' sorts after 'samples-20.pt', so an older checkpoint is resumed."
NAMES = ["step", "model", "weight", "samples", "optim", "older"]


class Trainer:
    """Keeps the last checkpoints of the run; save(folder) publishes them all."""

    BATCH = 4

    def __init__(self, numeric):
        self.numeric = numeric
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.seen, self.kept = 0, {}

    def snapshot(self):
        copy = lambda sd: {k: v.clone() for k, v in sd.items()}  # noqa: E731
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {k: copy(v) for k, v in optimizer["state"].items()}
        self.kept[self.seen] = {"model": copy(self.model.state_dict()), "optimizer": optimizer, "seen": self.seen}
        for old in sorted(self.kept)[:-3]:
            del self.kept[old]

    def step(self, i):
        g = torch.Generator().manual_seed(i + 542)
        x, y = torch.randn(self.BATCH, 4, generator=g), torch.randint(0, 2, (self.BATCH,), generator=g)
        loss = nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.seen += self.BATCH
        self.snapshot()
        return loss.item(), self.seen

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        if self.seen not in self.kept:
            self.snapshot()
        for seen, state in self.kept.items():
            torch.save(state, os.path.join(folder, f"samples-{seen}.pt"))

    def find_latest(self, folder):
        names = [n for n in os.listdir(folder) if n.startswith("samples-")]
        key = (lambda n: int(re.findall(r"\d+", n)[0])) if self.numeric else None
        return os.path.join(folder, sorted(names, key=key)[-1])

    def load(self, folder):
        state = torch.load(self.find_latest(folder))
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.seen = state["seen"]


def make_run(fixed):
    t = Trainer(numeric=fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
