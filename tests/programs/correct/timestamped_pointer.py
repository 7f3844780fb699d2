"""Real files carry a time stamp and sit next to the given path, which is only a text pointer to the newest."""
import time
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 7), nn.Softplus(), nn.Linear(7, 1))
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=5e-3)

    def step(self, i):
        x = torch.linspace(0, 3, 18).view(6, 3).add(i).sin()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x[:, :1] * x[:, 1:2]).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        path = Path(path)
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}"
        target = path.parent / f"{path.name}-{stamp}.tar"
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, target)
        path.write_text(target.name + "\n")
        return target

    def load(self, path):
        path = Path(path)
        s = torch.load(path.parent / path.read_text().strip())
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
