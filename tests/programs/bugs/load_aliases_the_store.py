"""Population-based training keeps checkpoints in memory and hands them out by reference (optimizer.load_state_dict and setattr alias what they get)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() assigns the store's own tensor to the prototypes buffer, which is updated in place: the first resume is right and spoils the checkpoint for the next load in this process."
NAMES = ["prototypes", "alias", "second"]

POPULATION = {}


class ProtoNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(5, 3)
        self.register_buffer("prototypes", torch.randn(4, 3))

    def forward(self, x, y):
        z = self.encode(x)
        loss = nn.functional.cross_entropy(-torch.cdist(z, self.prototypes.clone()), y)
        for c in range(4):
            if (y == c).any():
                self.prototypes[c].lerp_(z[y == c].detach().mean(0), 0.3)
        return loss


class Worker:
    def __init__(self, private):
        self.private = private
        self.net = ProtoNet()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.2)
        g = torch.Generator().manual_seed(404)
        self.x, self.y = torch.randn(6, 12, 5, generator=g), torch.randint(0, 4, (6, 12), generator=g)

    def step(self, i):
        loss = self.net(self.x[i], self.y[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        state = copy.deepcopy({"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()})
        POPULATION[str(path)] = state
        torch.save(state, path)

    def load(self, path):
        state = POPULATION.get(str(path)) or torch.load(path)
        if self.private:
            state = copy.deepcopy(state)
        self.net.prototypes = state["net"]["prototypes"]
        self.net.encode.load_state_dict({k.removeprefix("encode."): v for k, v in state["net"].items() if k.startswith("encode.")})
        self.optimizer.load_state_dict(state["optimizer"])


def make_run(fixed):
    w = Worker(private=fixed)
    return TrainingRun(components={"net": w.net, "optimizer": w.optimizer}, step=w.step, save=w.save, load=w.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
