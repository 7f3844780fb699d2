"""Keeps the best weights in memory (a real copy) with early stopping; both travel in the checkpoint."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class EarlyStopping:
    def __init__(self, patience=2):
        self.patience, self.bad, self.best, self.weights = patience, 0, float("inf"), None
        self.last = float("nan")

    def update(self, value, model):
        self.last = value
        if value < self.best:
            self.best, self.bad = value, 0
            self.weights = copy.deepcopy(model.state_dict())
        else:
            self.bad += 1
        return self.bad >= self.patience

    def state_dict(self):
        return {"bad": self.bad, "best": self.best, "last": self.last, "weights": self.weights}

    def load_state_dict(self, s):
        self.bad, self.best, self.last, self.weights = s["bad"], s["best"], s["last"], s["weights"]


class Trainer:
    def __init__(self):
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.9)
        self.stopper = EarlyStopping()

    def step(self, i):
        if self.stopper.bad >= self.stopper.patience:
            self.model.load_state_dict(self.stopper.weights)
            return {"loss": float("nan"), "stopped": True}
        x = torch.tensor([[1.0, -2, 0.5], [0.3, 1, 1], [2, 2, -1]]) * (1 + i % 2)
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "stopped": self.stopper.update(loss.item(), self.model)}

    def save(self, path):
        torch.save({k: getattr(self, k).state_dict() for k in ("model", "optimizer", "stopper")}, path)

    def load(self, path):
        for k, v in torch.load(path).items():
            getattr(self, k).load_state_dict(v)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer, "stopper": t.stopper},
                       step=t.step, save=t.save, load=t.load)
