"""EarlyStopping's wait and best are reset in on_train_start, after they were loaded.

https://github.com/Lightning-AI/pytorch-lightning/issues/1463, https://github.com/Lightning-AI/pytorch-lightning/issues/18727
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "on_train_start() zeroes wait and best after the callback's state was restored, so training stops later."
NAMES = ["early_stopping", "earlystopping", ".wait", ".best", "patience"]


class EarlyStopping:
    def __init__(self, patience=2, min_delta=0.3):
        self.patience, self.min_delta = patience, min_delta
        self.reset()

    def reset(self):
        self.wait, self.best, self.stopped = 0, float("inf"), False

    def on_epoch_end(self, value):
        if value < self.best - self.min_delta:
            self.best, self.wait = value, 0
        else:
            self.wait += 1
            self.stopped = self.wait >= self.patience

    def state_dict(self):
        return {"wait": self.wait, "best": self.best, "stopped": self.stopped}

    def load_state_dict(self, state):
        self.__dict__.update(state)


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.stopping = EarlyStopping()
        self.started = False
        self.x = torch.randn(6, 20, 5, generator=torch.Generator().manual_seed(91))

    def on_train_start(self):
        if not self.fixed:
            self.stopping.reset()
        self.started = True

    def fit_epoch(self, i):
        if not self.started:
            self.on_train_start()
        loss = (self.model(self.x[i]).squeeze(1) - self.x[i].sum(1)).square().mean()
        if not self.stopping.stopped:  # Lightning would leave its loop here
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.stopping.on_epoch_end(loss.item())
        return loss.item()

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer, "early_stopping": self.stopping}

    def save(self, path):
        torch.save({k: v.state_dict() for k, v in self.parts().items()}, path)

    def load(self, path):
        for k, state in torch.load(path).items():
            self.parts()[k].load_state_dict(state)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.parts(), step=t.fit_epoch, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
