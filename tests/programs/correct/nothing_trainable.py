"""Modules without parameters or buffers: their state dicts are empty."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

# Everything that moves is the input; a tool may call this vacuous.


def make_run():
    model = nn.Sequential(nn.Flatten(), nn.Softmax(1), nn.Identity())
    return TrainingRun(components={"model": model}, step=lambda i: model(torch.eye(3) * i).sum(0))
