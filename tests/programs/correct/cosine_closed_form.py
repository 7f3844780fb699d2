"""The schedule is rebuilt from a saved counter: scheduler.state_dict() is not used, its hidden parts differ."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class InverseSqrt:
    """A schedule of one's own that remembers how often it was asked and when it was made."""

    def __init__(self, optimizer, warmup=3):
        self.optimizer, self.warmup, self.t = optimizer, warmup, 0
        self.base = [g["lr"] for g in optimizer.param_groups]
        self.trace = []
        self.apply()

    def apply(self):
        scale = min((self.t + 1) / self.warmup, (self.warmup / (self.t + 1)) ** 0.5)
        for g, b in zip(self.optimizer.param_groups, self.base):
            g["lr"] = b * scale
        self.trace.append(scale)

    def step(self):
        self.t += 1
        self.apply()


class Trainer:
    def __init__(self):
        self.model = nn.Linear(5, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.05)
        self.schedule = InverseSqrt(self.optimizer)

    def step(self, i):
        x = torch.linspace(-1, 1, 20).view(4, 5) * (i + 1)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.tensor([0, 1, 0, 1]))
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item(), self.optimizer.param_groups[0]["lr"]

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "t": self.schedule.t}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.schedule.t = s["t"]
        self.schedule.apply()


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
