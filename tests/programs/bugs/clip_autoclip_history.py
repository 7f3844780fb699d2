"""AutoClip clips at a percentile of all gradient norms so far; the list of norms is not kept.

After https://github.com/pseeth/autoclip (grad_history) used as a callback without state.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "grad_history is not in the checkpoint, so the clipping threshold is computed from the new norms only."
NAMES = ["grad_history", "history", "clip"]


class AutoClip:
    def __init__(self, percentile):
        self.percentile = percentile
        self.grad_history = []

    def __call__(self, model):
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()
        self.grad_history.append(norm)
        limit = torch.tensor(self.grad_history).quantile(self.percentile / 100).item()
        nn.utils.clip_grad_norm_(model.parameters(), limit)
        return limit


class Separator:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(6, 12), nn.Sigmoid(), nn.Linear(12, 6))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5, momentum=0.3)
        self.clip = AutoClip(30)
        gen = torch.Generator().manual_seed(202)
        loud = torch.tensor([3.0, 1.0, 2.0, 0.5, 4.0, 1.5]).view(6, 1, 1)
        self.mix = torch.rand(6, 10, 6, generator=gen) * loud

    def step(self, i):
        mask = self.model(self.mix[i]).sigmoid()
        loss = (mask * self.mix[i] - self.mix[i].sqrt()).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.clip(self.model)
        self.optimizer.step()
        return loss.item()


def make_run(fixed):
    s = Separator()

    def save(path):
        state = {"model": s.model.state_dict(), "optimizer": s.optimizer.state_dict()}
        if fixed:
            state["grad_history"] = s.clip.grad_history
        torch.save(state, path)

    def load(path):
        state = torch.load(path)
        s.model.load_state_dict(state["model"])
        s.optimizer.load_state_dict(state["optimizer"])
        s.clip.grad_history = list(state.get("grad_history", []))

    return TrainingRun({"model": s.model, "optimizer": s.optimizer}, s.step, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
