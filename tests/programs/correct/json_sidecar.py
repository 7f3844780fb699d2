"""Model and optimizer in the given file, the counters in a JSON file next to it."""
import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 4)
        self.optimizer = torch.optim.ASGD(self.model.parameters(), lr=0.1)
        self.meta = {"tokens": 0, "best": None, "notes": []}

    def step(self, i):
        x = torch.arange(24.0).view(6, 4).mul(0.1 + i).cos()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.flip(1)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.meta["tokens"] += x.numel()
        if self.meta["best"] is None or loss.item() < self.meta["best"]:
            self.meta["best"] = loss.item()
        return loss.item(), self.meta["tokens"], self.meta["best"]

    def save(self, path):
        path = os.fspath(path)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)
        with open(path + ".json", "w") as f:
            json.dump(self.meta, f)  # repr of a float in JSON reads back exactly
        return [path, path + ".json"]

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        with open(os.fspath(path) + ".json") as f:
            self.meta = json.load(f)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
