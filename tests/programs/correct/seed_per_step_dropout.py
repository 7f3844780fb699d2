"""Dropout and noise, but every step seeds itself from its number: no random state in the file."""
import random

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

BASE_SEED = 1234


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    def step(self, i):
        seed_everything(BASE_SEED + i)
        x = torch.randn(16, 6)
        if random.random() < 0.5:
            x = x.flip(1)
        y = torch.from_numpy(np.random.randint(0, 3, size=16))
        self.net.train()
        self.opt.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.net(x), y)
        loss.backward()
        self.opt.step()
        return loss

    def save(self, path):
        torch.save((self.net.state_dict(), self.opt.state_dict()), path)

    def load(self, path):
        net, opt = torch.load(path)
        self.net.load_state_dict(net)
        self.opt.load_state_dict(opt)


def make_run():
    t = Trainer()
    return TrainingRun(components={"net": t.net, "opt": t.opt}, step=t.step, save=t.save, load=t.load)
