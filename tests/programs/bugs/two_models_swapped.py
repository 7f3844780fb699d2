"""Two networks of one shape saved in dict order and loaded in sorted order (order of parts in a checkpoint list; cf. accelerate's custom objects loaded by position)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The models are written as a list in insertion order and read back in sorted-name order, so student and predictor change places."
NAMES = ["student", "predictor", "swap"]


def mlp():
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))


def make_run(fixed):
    models = {"student": mlp(), "predictor": mlp()}
    optimizer = torch.optim.SGD([p for m in models.values() for p in m.parameters()], lr=0.1, momentum=0.9)
    rng = torch.Generator().manual_seed(1)
    batches = list(torch.randn(6, 9, 4, generator=rng))

    def step(i):
        x = batches[i]
        loss = (models["predictor"](models["student"](x)) - x.roll(1, 1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        states = [m.state_dict() for m in models.values()]
        torch.save({"models": states, "optimizer": optimizer.state_dict()}, path)

    def load(path):
        ck = torch.load(path)
        order = list(models) if fixed else sorted(models)
        for name, state in zip(order, ck["models"], strict=True):
            models[name].load_state_dict(state)
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={**models, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
