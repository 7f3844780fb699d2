"""Adaptive clipping against a moving average of the gradient norm; the average is a plain attribute of the optimizer.

After ZClip / AdaGC style wrappers and https://github.com/kozistr/pytorch_optimizer/pull/310 (attributes of an optimizer are
not in its state_dict)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The moving average of the gradient norm lives on the optimizer object and is not in state_dict()."
NAMES = ["average_norm", "clip"]


class ClippedAdamW(torch.optim.AdamW):
    average_norm = None

    def step(self, closure=None):
        grads = [p.grad for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in grads])).item()
        if self.average_norm is None:
            self.average_norm = norm
        factor = min(1.0, 0.9 * self.average_norm / norm)
        for grad in grads:
            grad.mul_(factor)
        self.average_norm = 0.8 * self.average_norm + 0.2 * norm
        return super().step(closure)


class StatefulClippedAdamW(ClippedAdamW):
    def state_dict(self):
        return {**super().state_dict(), "average_norm": self.average_norm}

    def load_state_dict(self, state):
        state = dict(state)
        self.average_norm = state.pop("average_norm")
        super().load_state_dict(state)


def make_run(fixed):
    torch.manual_seed(12)
    x = torch.randn(6, 12, 3) * torch.tensor([1.0, 5.0, 0.3, 2.0, 4.0, 1.0]).view(6, 1, 1)
    model = nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 3))
    optimizer = (StatefulClippedAdamW if fixed else ClippedAdamW)(model.parameters(), lr=0.02)

    def step(i):
        loss = (model(x[i]) - x[i].cross(x[i].roll(1, 0), dim=1)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
