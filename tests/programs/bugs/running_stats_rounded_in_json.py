"""Normalisation statistics kept in a JSON file for people to read, rounded to four digits (LeRobot-style stats.json next to the weights)."""
import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The feature statistics go through round(x, 4) in stats.json, so a resumed run standardises with other numbers than the live one."
NAMES = ["stats", "mean", "std", "standard"]


class Standardizer:
    def __init__(self, dim):
        self.mean, self.std = torch.zeros(dim), torch.ones(dim)

    def fit_transform(self, x):
        self.mean = 0.8 * self.mean + 0.2 * x.mean(0)
        self.std = 0.8 * self.std + 0.2 * x.std(0)
        return (x - self.mean) / (self.std + 1e-6)

    def to_json(self, digits):
        trim = (lambda v: v) if digits is None else (lambda v: round(v, digits))
        return {"mean": [trim(v) for v in self.mean.tolist()], "std": [trim(v) for v in self.std.tolist()]}

    def from_json(self, data):
        self.mean, self.std = torch.tensor(data["mean"]), torch.tensor(data["std"])


class Policy:
    def __init__(self, digits):
        self.digits = digits
        self.net = nn.Linear(5, 2)
        self.optim = torch.optim.Adam(self.net.parameters(), lr=1e-2)
        self.stats = Standardizer(5)

    def step(self, i):
        x = torch.randn(14, 5, generator=torch.Generator().manual_seed(70 + i)) * 2.5 - 1
        loss = nn.functional.l1_loss(self.net(self.stats.fit_transform(x)), x[:, :2])
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        torch.save({"net": self.net.state_dict(), "optim": self.optim.state_dict()}, os.path.join(folder, "weights.pt"))
        with open(os.path.join(folder, "stats.json"), "w") as f:
            json.dump(self.stats.to_json(self.digits), f, indent=2)

    def load(self, folder):
        weights = torch.load(os.path.join(folder, "weights.pt"))
        self.net.load_state_dict(weights["net"])
        self.optim.load_state_dict(weights["optim"])
        with open(os.path.join(folder, "stats.json")) as f:
            self.stats.from_json(json.load(f))


def make_run(fixed):
    p = Policy(digits=None if fixed else 4)
    return TrainingRun(components={"net": p.net, "optim": p.optim}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
