"""Everything in one pickle, optimizer and scheduler objects included; load swaps the holder's content."""
import pickle
from types import SimpleNamespace

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    box = SimpleNamespace()
    box.model = nn.Sequential(nn.Linear(4, 6), nn.ELU(), nn.Linear(6, 2))
    box.optimizer = torch.optim.SGD(box.model.parameters(), lr=0.2, momentum=0.8)
    box.scheduler = torch.optim.lr_scheduler.StepLR(box.optimizer, 2, gamma=0.5)

    def step(i):
        x = torch.arange(16.0).view(4, 4).sin() + i
        box.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(box.model(x), torch.tensor([0, 1, 1, 0]))
        loss.backward()
        box.optimizer.step()
        box.scheduler.step()
        return loss.item()

    def save(path):
        # one dump: the optimizer keeps pointing at the model's own parameters
        with open(path, "wb") as f:
            pickle.dump((box.model, box.optimizer, box.scheduler), f, protocol=pickle.HIGHEST_PROTOCOL)

    def load(path):
        with open(path, "rb") as f:
            box.model, box.optimizer, box.scheduler = pickle.load(f)

    return TrainingRun(
        components=lambda: {"model": box.model, "optimizer": box.optimizer, "scheduler": box.scheduler},
        step=step, save=save, load=load)
