"""The states of the layers are saved as a list in the order of a set of names, and given out in that of another."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The states of the layers are saved as a list in the order of a set of names, and given out in that of another.'
NAMES = ['layers']
CHECK = 'loads_in_a_fresh_process'


class Trainer:
    NAMES = {"encoder", "decoder", "bridge", "head", "tail", "gate", "norm", "skip"}

    def __init__(self, fixed):
        self.fixed = fixed
        self.names = sorted(self.NAMES) if fixed else list(self.NAMES)
        self.layers = nn.ModuleDict({name: nn.Linear(3, 3) for name in sorted(self.NAMES)})
        self.build()

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
        return [loss.item() for loss in losses]

    def save(self, path):
        states = [self.layers[name].state_dict() for name in self.names]
        torch.save({"layers": states, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        for name, state in zip(self.names, checkpoint["layers"]):
            self.layers[name].load_state_dict(state)
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
