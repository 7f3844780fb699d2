"""GradualWarmupScheduler pickles its after_scheduler whole, optimizer included; on load it drives a ghost.

https://github.com/ildoonet/pytorch-gradual-warmup-lr/issues/27
"""

import pickle

import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR

from pytest_ckpt import TrainingRun

DOC = "After loading, after_scheduler.optimizer is an unpickled copy, so the real learning rate stays constant."
NAMES = ["after_scheduler", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "optimizer"]


class GradualWarmup:
    def __init__(self, optimizer, steps, after_scheduler, mend):
        self.optimizer, self.steps, self.after_scheduler, self.mend = optimizer, steps, after_scheduler, mend
        self.base = [g["lr"] for g in optimizer.param_groups]
        self.last_epoch = 0
        self.apply()

    def apply(self):
        if self.last_epoch < self.steps:
            for group, lr in zip(self.optimizer.param_groups, self.base):
                group["lr"] = lr * (self.last_epoch + 1) / self.steps

    def step(self):
        self.last_epoch += 1
        if self.last_epoch >= self.steps:
            self.after_scheduler.step()
        self.apply()

    def state_dict(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "mend")}

    def load_state_dict(self, state):
        self.__dict__.update(state)
        if self.mend:
            self.after_scheduler.optimizer = self.optimizer


def make_run(fixed):
    g = torch.Generator().manual_seed(12)
    batches = torch.randn(6, 10, 6, generator=g)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.7)
    scheduler = GradualWarmup(optimizer, 2, ExponentialLR(optimizer, 0.7), mend=fixed)

    def step(i):
        out = model(batches[i])
        loss = (out - batches[i][:, :2].sign()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    def save(path):
        state = {"model": model.state_dict(), "optim": optimizer.state_dict(), "sched": scheduler.state_dict()}
        with open(path, "wb") as file:
            pickle.dump(state, file)

    def load(path):
        with open(path, "rb") as file:
            state = pickle.load(file)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optim"])
        scheduler.load_state_dict(state["sched"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
