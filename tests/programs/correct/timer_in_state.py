"""A stopwatch among the components: its state dict is another one at every look, and that is right."""
import time
from datetime import datetime, timezone

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Stopwatch:
    """Total training time over all the restarts."""

    def __init__(self):
        self.before = 0.0
        self.started = time.perf_counter()

    def elapsed(self):
        return self.before + time.perf_counter() - self.started

    def state_dict(self):
        return {"elapsed": self.elapsed()}

    def load_state_dict(self, state):
        self.before = state["elapsed"]
        self.started = time.perf_counter()


class Trainer:
    def __init__(self):
        self.model = nn.Linear(5, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.05)
        self.watch = Stopwatch()
        g = torch.Generator().manual_seed(0)
        self.x, self.y = torch.randn(40, 5, generator=g), torch.randn(40, 1, generator=g)

    def step(self, i):
        idx = torch.arange(8) + 8 * (i % 5)
        self.optimizer.zero_grad()
        loss = (self.model(self.x[idx]) - self.y[idx]).abs().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({
            "created": datetime.now(timezone.utc).isoformat(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "watch": self.watch.state_dict(),
        }, path)

    def load(self, path):
        ckpt = torch.load(path)
        print("resuming the run saved at", ckpt["created"])
        for name in ("model", "optimizer", "watch"):
            getattr(self, name).load_state_dict(ckpt[name])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer, "watch": t.watch},
                       step=t.step, save=t.save, load=t.load)
