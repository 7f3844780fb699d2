"""Averaged weights lie in a list in the order of a set of names; a result reads them, so the next process reports others."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'Averaged weights lie in a list in the order of a set of names; a result reads them, so the next process reports others.'
NAMES = ['output', 'average']
CHECK = 'resume_in_a_fresh_process'


class Trainer:
    NAMES = {"encoder", "decoder", "bridge", "head", "tail", "gate", "norm", "skip"}

    def __init__(self, fixed):
        self.fixed = fixed
        self.names = sorted(self.NAMES) if fixed else list(self.NAMES)
        self.layers = nn.ModuleDict({name: nn.Linear(3, 3) for name in sorted(self.NAMES)})
        self.build()

        self.averages = [self.layers[name].weight.detach().clone() for name in self.names]

    def components(self):
        return {"layers": self.layers, "optimizer": self.optimizer}

    def build(self):
        self.optimizer = torch.optim.SGD(self.layers.parameters(), lr=0.05, momentum=0.9)

    def step(self, i):
        x = torch.linspace(-1, 1, 12).view(4, 3)
        losses = [(self.layers[name](x) - k - i).pow(2).mean() for k, name in enumerate(sorted(self.NAMES))]
        self.optimizer.zero_grad()
        sum(losses).backward()
        self.optimizer.step()
        for average, name in zip(self.averages, self.names):
            average.lerp_(self.layers[name].weight.detach(), 0.1)
        named = dict(zip(self.names, self.averages))
        return [float(named[name].sum()) for name in sorted(named)]

    def save(self, path):
        torch.save({"layers": self.layers.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "averages": self.averages}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.layers.load_state_dict(checkpoint["layers"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.averages = checkpoint["averages"]


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
