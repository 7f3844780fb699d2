"""The saver treats ReduceLROnPlateau apart, as it has no get_last_lr logic, and leaves it out.

After the isinstance checks around ReduceLROnPlateau in transformers and Lightning, and
https://github.com/neuro-ml/thunder/issues/72
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pytest_ckpt import TrainingRun

DOC = "ReduceLROnPlateau's best value and its count of bad epochs are not saved; the learning rate falls later."
NAMES = ["num_bad_epochs", "best", "plateau", "scheduler"]


def make_run(fixed):
    torch.manual_seed(40)
    xs, ys = torch.randn(6, 12, 4), torch.randn(6, 12, 1)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    plateau = ReduceLROnPlateau(optimizer, patience=1, factor=0.25, threshold=0.5)

    def epoch(i):
        loss = nn.functional.mse_loss(model(xs[i]), ys[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plateau.step(loss.item())
        return loss.item()

    def save(directory):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), directory / "model.pt")
        torch.save(optimizer.state_dict(), directory / "optimizer.pt")
        skip = () if fixed else (ReduceLROnPlateau,)
        if not isinstance(plateau, skip):
            (directory / "scheduler.json").write_text(json.dumps(plateau.state_dict()))

    def load(directory):
        directory = Path(directory)
        model.load_state_dict(torch.load(directory / "model.pt"))
        optimizer.load_state_dict(torch.load(directory / "optimizer.pt"))
        if (directory / "scheduler.json").exists():
            plateau.load_state_dict(json.loads((directory / "scheduler.json").read_text()))

    return TrainingRun({"model": model, "optimizer": optimizer, "scheduler": plateau}, epoch, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
