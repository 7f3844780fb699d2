"""load() refuses files of another configuration and tolerates a changed host; unused modules stay untrained."""
import hashlib
import json
import os
import platform

import torch
from torch import nn

from pytest_ckpt import TrainingRun

CONFIG = {"width": 8, "lr": 0.01, "name": "tiny"}


def fingerprint(config):
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Linear(3, width)
        self.heads = nn.ModuleDict({"main": nn.Linear(width, 1), "aux": nn.Linear(width, 2)})  # aux has no loss yet
        self.register_parameter("unused", None)

    def forward(self, x):
        return self.heads["main"](self.body(x).relu())


class Trainer:
    def __init__(self, config):
        self.config = dict(config)
        self.net = Net(config["width"])
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=config["lr"])

    def step(self, i):
        x = torch.linspace(-1, 1, 15).view(5, 3).roll(i, 0)
        self.optimizer.zero_grad()
        loss = (self.net(x) - x.abs().sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"config": fingerprint(self.config), "host": platform.node(), "pid": os.getpid(),
                    "cwd": os.getcwd(), "net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        if s["config"] != fingerprint(self.config):
            raise ValueError(f"{path} was written with another configuration")
        self.net.load_state_dict(s["net"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer(CONFIG)
    return TrainingRun(components={"net": t.net, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
