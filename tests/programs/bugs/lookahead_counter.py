"""Slow weights are restored, the step count within the period is not: synchronisation comes later.

https://github.com/lonePatient/lookahead_pytorch/issues/3, https://github.com/ReaLLMASIC/ReaLLM-Forge/pull/479
"""

import torch
from torch import nn
from torch.optim import Optimizer

from pytest_ckpt import TrainingRun

DOC = "Lookahead's phase (group['counter']) is an attribute outside of param_groups, so the k-step rhythm starts over."
NAMES = ["._step", "counter", "lookahead"]


class LookaheadSGD(Optimizer):
    """SGD with momentum; slow weights in the per-parameter state."""

    def __init__(self, params, lr, momentum=0.9, k=3, alpha=0.5):
        super().__init__(params, {"lr": lr, "momentum": momentum, "k": k, "alpha": alpha})
        self._step = 0

    @torch.no_grad()
    def step(self, closure=None):
        self._step += 1
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["velocity"], state["slow"] = torch.zeros_like(p), p.detach().clone()
                state["velocity"].mul_(group["momentum"]).add_(p.grad)
                p.sub_(state["velocity"], alpha=group["lr"])
                if self._step % group["k"] == 0:
                    state["slow"].lerp_(p, group["alpha"])
                    p.copy_(state["slow"])


class CountingLookaheadSGD(LookaheadSGD):
    def state_dict(self):
        return super().state_dict() | {"_step": self._step}

    def load_state_dict(self, state):
        self._step = state["_step"]
        super().load_state_dict({k: v for k, v in state.items() if k != "_step"})


def make_run(fixed):
    torch.manual_seed(45)
    x = torch.randn(6, 10, 3)
    model = nn.Linear(3, 3)
    optimizer = (CountingLookaheadSGD if fixed else LookaheadSGD)(model.parameters(), lr=0.05)

    def step(i):
        loss = (model(x[i]).relu() - x[i].roll(1, 1).relu()).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
