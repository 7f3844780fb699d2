"""Training rolls back to the best weights when the loss gets worse; the best weights are not in the checkpoint.

After https://github.com/PaddlePaddle/PaddleOCR/issues/18108 (best_model_dict) and "reload best on plateau" recipes.
"""

import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "best_loss and best_weights start empty after a resume, so no rollback happens where the live run had one."
NAMES = ["best"]


class RollbackTrainer:
    attributes = ("model", "optimizer")

    def __init__(self):
        torch.manual_seed(100)
        self.batches = torch.randn(6, 8, 4)
        self.model = nn.Linear(4, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1.2, momentum=0.5)
        self.best = {"loss": float("inf"), "weights": None}

    def step(self, i):
        x = self.batches[i]
        loss = (self.model(x) - x[:, :2] * x[:, 2:]).square().sum(1).mean()
        if loss.item() < self.best["loss"]:
            self.best = {"loss": loss.item(), "weights": copy.deepcopy(self.model.state_dict())}
        elif self.best["weights"] is not None and loss.item() > 1.3 * self.best["loss"]:
            self.model.load_state_dict(self.best["weights"])
            return loss.item()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return state


class MendedTrainer(RollbackTrainer):
    def save(self, path):
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**parts, "best": self.best}, path)

    def load(self, path):
        self.best = super().load(path)["best"]


def make_run(fixed):
    t = MendedTrainer() if fixed else RollbackTrainer()
    return TrainingRun({"model": t.model, "optimizer": t.optimizer}, t.step, t.save, t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
