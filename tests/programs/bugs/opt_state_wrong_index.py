"""Adam's state is written per index over all parameters and read per index over the trainable ones.

After https://github.com/Z-Zheng/SimpleCV/pull/7 ("pass all parameters of model into optimizer rather than only
trainable part").
"""

import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A frozen first layer shifts the indices, so each layer gets the moments of another one."
NAMES = ["exp_avg", "optimizer"]


def make_run(fixed):
    torch.manual_seed(99)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[0].requires_grad_(False)  # pretrained, the same in every run
    batches = torch.randn(6, 8, 6).unbind()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=5e-3)

    def step(i):
        out = model(batches[i])
        loss = (out - batches[i].flip(-1)).abs().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(model.state_dict(), os.path.join(folder, "weights.pt"))
        everything = enumerate(model.parameters())
        torch.save({n: optimizer.state[p] for n, p in everything if p in optimizer.state}, f"{folder}/adam.pt")

    def load(folder):
        model.load_state_dict(torch.load(os.path.join(folder, "weights.pt")))
        moments = torch.load(os.path.join(folder, "adam.pt"))
        optimizer.state.clear()
        for n, p in enumerate(model.parameters() if fixed else trainable):
            if n in moments:
                optimizer.state[p] = moments[n]

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
