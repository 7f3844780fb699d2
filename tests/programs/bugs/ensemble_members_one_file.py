"""An ensemble saved in a loop to one file name (the last member wins), the sibling of second_file_overwrites_first."""
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The f-string of the file name lost its placeholder: every ensemble member is written to member.pt and all are loaded from the last one."
NAMES = ["member", "ensemble", "net_"]


class Ensemble:
    def __init__(self, size):
        for n in range(size):
            setattr(self, f"net_{n}", nn.Sequential(nn.Linear(3, 6), nn.Sigmoid(), nn.Linear(6, 1)))
        self.optimizer = torch.optim.Adam([p for m in self.members() for p in m.parameters()], lr=2e-2)

    def members(self):
        return [m for m in vars(self).values() if isinstance(m, nn.Module)]

    def predict(self, x):
        return torch.stack([m(x) for m in self.members()])


def file_for(folder, n, numbered):
    return Path(folder) / (f"member_{n}.pt" if numbered else "member.pt")


def make_run(fixed):
    ensemble = Ensemble(3)

    def step(i):
        x = torch.rand(10, 3, generator=torch.Generator().manual_seed(i + 3))
        loss = (ensemble.predict(x) - x.amax(1, keepdim=True)).square().mean()
        ensemble.optimizer.zero_grad()
        loss.backward()
        ensemble.optimizer.step()
        return loss.item()

    def save(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for n, member in enumerate(ensemble.members()):
            torch.save(member.state_dict(), file_for(folder, n, fixed))
        torch.save(ensemble.optimizer.state_dict(), Path(folder) / "optimizer.pt")

    def load(folder):
        for n, member in enumerate(ensemble.members()):
            member.load_state_dict(torch.load(file_for(folder, n, fixed)))
        ensemble.optimizer.load_state_dict(torch.load(Path(folder) / "optimizer.pt"))

    def predict():
        with torch.no_grad():
            return ensemble.predict(torch.eye(3)).mean(0)

    return TrainingRun(components=OrderedDict(vars(ensemble)), step=step, save=save, load=load, predict=predict, name="ensemble")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
