"""best_state = model.state_dict() without a copy: pytorch/tutorials#188, WenjieDu/PyPOTS#667, thunlp/OpenKE#131, pytorch/pytorch#34765."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The best weights are kept by reference and follow the live model; the live run's 'back to the best' does nothing, a resumed run's does."
NAMES = ["best"]


class EarlyStopping:
    """Goes back to the best weights when the loss is much worse than the best one."""

    def __init__(self, model, by_copy):
        self.model, self.by_copy = model, by_copy
        self.best_loss, self.best_state, self.reverts = float("inf"), None, 0

    def __call__(self, loss):
        if loss < self.best_loss:
            state = self.model.state_dict()
            self.best_loss, self.best_state = loss, copy.deepcopy(state) if self.by_copy else state
        elif loss > 1.5 * self.best_loss:
            self.model.load_state_dict(self.best_state)
            self.reverts += 1


class Trainer:
    def __init__(self, by_copy):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.2, momentum=0.9)
        self.stopper = EarlyStopping(self.model, by_copy)
        g = torch.Generator().manual_seed(667)
        self.x = torch.randn(6, 8, 4, generator=g)
        self.y = self.x.sum(2, keepdim=True) * torch.tensor([2.0, 1.0, 0.2, 3.0, -2.0, 4.0]).view(6, 1, 1)

    def step(self, i):
        loss = (self.model(self.x[i]) - self.y[i]).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.stopper(loss.item())
        return loss.item()

    def save(self, path):
        s = self.stopper
        torch.save(
            {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "best": s.best_state, "best_loss": s.best_loss, "reverts": s.reverts},
            path,
        )

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        self.stopper.best_state, self.stopper.best_loss, self.stopper.reverts = ck["best"], ck["best_loss"], ck["reverts"]


def make_run(fixed):
    t = Trainer(by_copy=fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
