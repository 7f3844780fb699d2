"""The checkpoint is a deepcopy of the model, and __deepcopy__ copies only the state dict (weight-normed or hooked models often define it to deepcopy at all)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A custom __deepcopy__ rebuilds the router and copies its state dict; the expert-load balance, a plain tensor that steers the routing, is reset."
NAMES = ["load", "balance"]


class Router(nn.Module):
    def __init__(self, dim, experts, copy_all):
        super().__init__()
        self.args = (dim, experts, copy_all)
        self.gate = nn.Linear(dim, experts)
        self.experts = nn.Parameter(torch.randn(experts, dim, 1) / dim**0.5)
        self.balance = torch.zeros(experts)

    def forward(self, x):
        scores = self.gate(x)
        choice = (scores + self.balance).argmax(-1)
        if self.training:
            load = torch.bincount(choice, minlength=len(self.balance)) / len(x)
            self.balance = self.balance + 0.3 * (1 / len(self.balance) - load)
        weight = scores.softmax(-1).gather(1, choice[:, None])
        return weight * (x[:, None] @ self.experts[choice]).squeeze(1)

    def __deepcopy__(self, memo):
        twin = type(self)(*self.args)
        twin.load_state_dict(copy.deepcopy(self.state_dict(), memo))
        if self.args[2]:
            twin.balance = self.balance.clone()
        return twin.train(self.training)


class Run:
    def __init__(self, copy_all):
        self.model = Router(5, 4, copy_all)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.5)

    def step(self, i):
        x = torch.randn(16, 5, generator=torch.Generator().manual_seed(900 + i))
        loss = (self.model(x) - x.amax(1, keepdim=True)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        with torch.random.fork_rng():  # the copy draws initial weights
            snapshot = copy.deepcopy(self.model)
        torch.save({"model": snapshot, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        saved = torch.load(path, weights_only=False)
        self.model = saved["model"]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.5)
        self.optimizer.load_state_dict(saved["optimizer"])


def make_run(fixed):
    r = Run(copy_all=fixed)
    return TrainingRun(components=lambda: vars(r), step=r.step, save=r.save, load=r.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
