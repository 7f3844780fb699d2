"""Saved from a DataParallel-like wrapper, loaded into the bare model with strict=False: knazeri/edge-connect#121, pytorch/pytorch#451."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The file's keys start with 'module.'; strict=False ignores every one of them and the model keeps its random weights."
NAMES = ["module.", "model", "weight", "prefix"]


class Parallel(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args):
        return self.module(*args)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 10), nn.SiLU())
        self.out = nn.Linear(10, 1)

    def forward(self, x):
        return self.out(self.body(x))


def unwrap(model):
    return model.module if isinstance(model, Parallel) else model


def make_run(fixed):
    model = Parallel(Regressor())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def step(i):
        x = torch.linspace(-2, 2, 30).view(10, 3).roll(i, 0) + 0.1 * i
        loss = nn.functional.huber_loss(model(x), x.sin().sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        to_save = unwrap(model) if fixed else model
        torch.save({"state_dict": to_save.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        ck = torch.load(path, map_location="cpu")
        unwrap(model).load_state_dict(ck["state_dict"], strict=False)
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(fixed=False)


def make_fixed():
    return make_run(fixed=True)
