"""Warm-up and cosine computed from the step number; no scheduler object, so none in the checkpoint."""
import math

import torch
from torch import nn

from pytest_ckpt import TrainingRun

BASE_LR, WARMUP, TOTAL = 3e-2, 2, 10


def lr_at(i):
    if i < WARMUP:
        return BASE_LR * (i + 1) / WARMUP
    return 0.5 * BASE_LR * (1 + math.cos(math.pi * (i - WARMUP) / (TOTAL - WARMUP)))


class Trainer:
    def __init__(self):
        self.model = nn.Linear(8, 4)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=BASE_LR)

    def step(self, i):
        for group in self.optimizer.param_groups:
            group["lr"] = lr_at(i)
            group["weight_decay"] = 0.1 * lr_at(i)
        x = torch.eye(8) * (1 + 0.1 * i)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(8) % 4)
        loss.backward()
        self.optimizer.step()
        return loss.item(), lr_at(i)

    def save(self, path):
        # param_groups hold the last lr; it is overwritten before it is used, so only the moments matter
        torch.save({"model": self.model.state_dict(), "moments": self.optimizer.state_dict()["state"]}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": s["moments"], "param_groups": groups})


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
