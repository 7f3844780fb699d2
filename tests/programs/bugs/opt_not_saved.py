"""Only the weights are written; AdamW starts again from zero moments.

https://github.com/CSAILVision/places365/issues/78 ("Optimizer state is not saved")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The checkpoint holds the model only, so AdamW's moments and step are lost."
NAMES = ["optimizer", "exp_avg"]


def make_data():
    g = torch.Generator().manual_seed(11)
    x = torch.randn(6, 16, 5, generator=g)
    return x, x.sum(-1, keepdim=True).sin()


def make_run(fixed):
    xs, ys = make_data()
    net = nn.Sequential(nn.Linear(5, 12), nn.GELU(), nn.Linear(12, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)

    def train_one(i):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(xs[i % 6]), ys[i % 6])
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        checkpoint = {"arch": "mlp", "state_dict": net.state_dict()}
        if fixed:
            checkpoint["optimizer"] = optimizer.state_dict()
        torch.save(checkpoint, path)

    def load(path):
        checkpoint = torch.load(path)
        net.load_state_dict(checkpoint["state_dict"])
        if "optimizer" in checkpoint:
            optimizer.load_state_dict(checkpoint["optimizer"])

    return TrainingRun(components={"model": net, "optimizer": optimizer}, step=train_one, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
