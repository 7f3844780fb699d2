"""A mixture of experts held in a python list: pytorch/pytorch#715, #666, #59925; LianpoWang/SLIIF#13."""
from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The experts sit in a python list, not in an nn.ModuleList; the optimizer trains them, state_dict() does not know them."
NAMES = ["expert"]


class MoE(nn.Module):
    def __init__(self, n, registered):
        super().__init__()
        self.gate = nn.Linear(4, n)
        experts = [nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1)) for _ in range(n)]
        self.experts = nn.ModuleList(experts) if registered else experts

    def forward(self, x):
        weights = self.gate(x).softmax(-1)
        return sum(weights[:, j : j + 1] * expert(x) for j, expert in enumerate(self.experts))


@dataclass
class Experiment:
    model: MoE
    optimizer: torch.optim.Optimizer
    done: int = 0

    def step(self, i):
        torch_gen = torch.Generator().manual_seed(1000 + i)
        x = torch.randn(12, 4, generator=torch_gen)
        loss = (self.model(x) - x.prod(1, keepdim=True)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.done = i + 1
        return loss.item()

    def save(self, path):
        torch.save({"net": self.model.state_dict(), "opt": self.optimizer.state_dict(), "done": self.done}, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["opt"])
        self.done = state["done"]


def make_run(fixed):
    model = MoE(3, registered=fixed)
    params = [*model.gate.parameters(), *chain.from_iterable(e.parameters() for e in model.experts)]
    ex = Experiment(model, torch.optim.AdamW(params, lr=1e-2))
    return TrainingRun(components={"model": ex.model, "optimizer": ex.optimizer}, step=ex.step, save=ex.save, load=ex.load, name="moe")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
