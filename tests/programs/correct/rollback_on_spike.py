"""Keeps an in-memory copy every second step and goes back to it when the loss jumps; the copy is saved, too."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.good = self.copy()
        self.previous, self.rollbacks = None, 0

    def copy(self):
        return copy.deepcopy({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()})

    def restore(self, state):
        state = copy.deepcopy(state)  # the optimizer would share tensors with it
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def step(self, i):
        x = torch.linspace(-1, 1, 24).view(6, 4) * (30 if i in (2, 4) else 1 + 0.1 * i)
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        if self.previous is not None and loss.item() > 5 * self.previous:
            self.restore(self.good)
            self.rollbacks += 1
            return {"loss": loss.item(), "rollbacks": self.rollbacks}
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.previous = loss.item()
        if i % 2 == 0:
            self.good = self.copy()
        return {"loss": loss.item(), "rollbacks": self.rollbacks}

    def save(self, path):
        torch.save({"now": self.copy(), "good": self.good, "previous": self.previous, "rollbacks": self.rollbacks},
                   path)

    def load(self, path):
        s = torch.load(path)
        self.restore(s["now"])
        self.good, self.previous, self.rollbacks = s["good"], s["previous"], s["rollbacks"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
