"""How far the schedule has come is noted in a dictionary of the process, by checkpoint."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'How far the schedule has come is noted in a dictionary of the process, by checkpoint.'
NAMES = ['output']
CHECK = 'resume_in_a_fresh_process'


POSITIONS = {}


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.position = 0
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x = torch.linspace(-1, 1, 32).view(8, 4) * (i + 1)
        loss = (self.model(x) - i).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.position += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-2 / self.position
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        POSITIONS[str(path)] = self.position
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "position": self.position if self.fixed else None}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.position = POSITIONS.get(str(path), checkpoint["position"] or 0)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
