"""The resume path builds the optimizer over names sorted as text: blocks.10 before blocks.2.

Optimizer state is matched by position: https://github.com/pytorch/pytorch/pull/105958 (the documentation of
state_dict's order matching).
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "On resume the optimizer is built over lexicographically sorted names, so momenta land on other layers."
NAMES = ["optimizer", "exp_avg", "permut"]


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(11))

    def forward(self, x):
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return x


def make_run(fixed):
    g = torch.Generator().manual_seed(21)
    x, y = torch.randn(12, 3, generator=g), torch.randn(12, 3, generator=g)
    model = Deep()
    state = {"optimizer": torch.optim.Adam(model.parameters(), lr=1e-2)}

    def train_step(i):
        half = slice(0, 6) if i % 2 else slice(6, 12)
        loss = (model(x[half]) - y[half]).square().mean()
        state["optimizer"].zero_grad()
        loss.backward()
        state["optimizer"].step()
        return loss.item()

    def save(path):
        torch.save((model.state_dict(), state["optimizer"].state_dict()), path)

    def resume(path):
        weights, optim = torch.load(path)
        model.load_state_dict(weights)
        named = dict(model.named_parameters())
        names = list(named) if fixed else sorted(weights)
        state["optimizer"] = torch.optim.Adam([named[n] for n in names], lr=1e-2)
        state["optimizer"].load_state_dict(optim)

    def parts():
        return {"model": model, "optimizer": state["optimizer"]}

    return TrainingRun(components=parts, step=train_step, save=save, load=resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
