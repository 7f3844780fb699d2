"""OneCycleLR is built after the optimizer was loaded, and writes its first lr and momentum over the loaded ones.

https://github.com/torch-points3d/torch-points3d/pull/630, https://github.com/pytorch/pytorch/issues/65342,
https://github.com/pytorch/pytorch/issues/119168
"""

from types import SimpleNamespace

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from pytest_ckpt import TrainingRun

DOC = "optimizer loaded, OneCycleLR constructed, scheduler loaded: the first resumed step has the schedule's first lr."
NAMES = [".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "momentum", "betas"]


def build_scheduler(optimizer):
    return OneCycleLR(optimizer, max_lr=0.1, total_steps=20, pct_start=0.2)


def make_run(fixed):
    torch.manual_seed(3)
    clouds = torch.randn(6, 16, 3)
    s = SimpleNamespace()
    s.model = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 1))
    s.optimizer = torch.optim.SGD(s.model.parameters(), lr=0.01, momentum=0.9)
    s.scheduler = build_scheduler(s.optimizer)

    def step(i):
        loss = nn.functional.mse_loss(s.model(clouds[i]).squeeze(1), clouds[i].norm(dim=1))
        s.optimizer.zero_grad()
        loss.backward()
        s.optimizer.step()
        s.scheduler.step()
        return loss.item()

    def save(path):
        torch.save({name: getattr(s, name).state_dict() for name in vars(s)}, path)

    def load(path):
        checkpoint = torch.load(path)
        s.model.load_state_dict(checkpoint["model"])
        s.optimizer = torch.optim.SGD(s.model.parameters(), lr=0.01, momentum=0.9)
        if fixed:
            s.scheduler = build_scheduler(s.optimizer)
            s.optimizer.load_state_dict(checkpoint["optimizer"])
        else:
            s.optimizer.load_state_dict(checkpoint["optimizer"])
            s.scheduler = build_scheduler(s.optimizer)
        s.scheduler.load_state_dict(checkpoint["scheduler"])

    return TrainingRun(components=lambda: dict(vars(s)), step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
