"""After loading, the command line's learning rate is written over the loaded one.

https://github.com/open-mmlab/mmocr/issues/292, https://github.com/mapbox/robosat/issues/169
"""

import argparse

import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR

from pytest_ckpt import TrainingRun

DOC = "resume sets param_groups' lr back to args.lr; ExponentialLR multiplies from there, wrong for good."
NAMES = [".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--gamma", type=float, default=0.8)
    return parser.parse_args([])


def make_run(fixed):
    args = parse_args()
    torch.manual_seed(1)
    data = torch.randn(6, 10, 4)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.8)
    scheduler = ExponentialLR(optimizer, args.gamma)

    def train_epoch(epoch):
        loss = model(data[epoch]).softmax(-1).square().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return float(loss)

    def save(path):
        torch.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()},
            path,
        )

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
        if not fixed:
            for group in optimizer.param_groups:
                group["lr"] = args.lr

    components = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    return TrainingRun(components=components, step=train_epoch, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
