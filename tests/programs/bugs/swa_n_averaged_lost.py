"""Stochastic weight averaging saved as swa_model.module: n_averaged is lost (cf. torch.optim.swa_utils, where it is a buffer of AveragedModel)."""
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from pytest_ckpt import TrainingRun

DOC = "The checkpoint has swa_model.module's weights but not AveragedModel.n_averaged; the first update after a resume replaces the average by the model."
NAMES = ["n_averaged", "swa"]


class Experiment:
    def __init__(self, whole):
        self.whole = whole
        self.model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
        self.swa_model = AveragedModel(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        g = torch.Generator().manual_seed(2018)
        self.x, self.y = torch.randn(6, 10, 5, generator=g), torch.randint(0, 2, (6, 10), generator=g)

    @property
    def swa_part(self):
        return self.swa_model if self.whole else self.swa_model.module

    def step(self, i):
        loss = nn.functional.cross_entropy(self.model(self.x[i]), self.y[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.swa_model.update_parameters(self.model)
        return loss.item()

    def save(self, path):
        torch.save([self.model.state_dict(), self.swa_part.state_dict(), self.optimizer.state_dict()], path)

    def load(self, path):
        for part, state in zip([self.model, self.swa_part, self.optimizer], torch.load(path), strict=True):
            part.load_state_dict(state)


def make_run(fixed):
    e = Experiment(whole=fixed)
    return TrainingRun(components={"model": e.model, "swa_model": e.swa_model, "optimizer": e.optimizer}, step=e.step, save=e.save, load=e.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
