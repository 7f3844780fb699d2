"""TrainingRun.from_object on a trainer: its stateful attributes are the components, save and load are its own."""
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Callback:
    """Not stateful: it only logs, and at most once in 50 ms."""

    def __init__(self):
        self.last, self.lines = 0.0, []

    def on_step(self, i, loss):
        if time.monotonic() - self.last > 0.05:
            self.lines.append(f"{i}: {loss:.3f}")
            self.last = time.monotonic()


class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(3, 6), nn.Sigmoid(), nn.Linear(6, 1))
        self.optim = torch.optim.Adam(self.net.parameters(), lr=0.02)
        self.sched = torch.optim.lr_scheduler.PolynomialLR(self.optim, 10)
        self.callbacks = [Callback()]
        self.best = float("inf")

    def train_step(self, i):
        x = torch.arange(18.0).view(6, 3).mul(0.3 * (i + 1)).sin()
        self.optim.zero_grad()
        loss = (self.net(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optim.step()
        self.sched.step()
        self.best = min(self.best, loss.item())
        for c in self.callbacks:
            c.on_step(i, loss.item())
        return {"loss": loss.item(), "best": self.best}

    def save_checkpoint(self, path):
        torch.save({"net": self.net.state_dict(), "optim": self.optim.state_dict(),
                    "sched": self.sched.state_dict(), "best": self.best}, path)

    def load_checkpoint(self, path):
        s = torch.load(path)
        for k in ("net", "optim", "sched"):
            getattr(self, k).load_state_dict(s[k])
        self.best = s["best"]


def make_run():
    t = Trainer()
    return TrainingRun.from_object(t, step=t.train_step, save=t.save_checkpoint, load=t.load_checkpoint)
