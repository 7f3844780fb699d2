"""A resume in the middle of an epoch draws a new permutation and skips n batches of the wrong order.

https://github.com/wyim-pgl/transgenic/issues/59 ("the DataLoader skip drops the wrong samples"),
https://github.com/huggingface/accelerate/pull/4233
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from pytest_ckpt import TrainingRun

DOC = "The random state of mid-epoch is restored before the permutation is drawn; it should be that of the epoch's start."
NAMES = ["rng", "random", "shuffle", "loader", "batches", "permut"]


class Waves(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, n):
        t = torch.linspace(0, 1, 6) * (n + 1)
        return t.sin(), t.cos()


def make_run(fixed):
    torch.manual_seed(0)
    loader = DataLoader(Waves(), batch_size=4, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.2), nn.Tanh(), nn.Linear(12, 6))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    batches, position = None, 0
    epoch_rng = torch.get_rng_state()

    def start_epoch():
        nonlocal batches, position, epoch_rng
        epoch_rng = torch.get_rng_state()
        batches, position = iter(loader), 0

    def step(i):
        nonlocal position
        if batches is None or position == len(loader):
            start_epoch()
        x, y = next(batches)
        position += 1
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(parts | {"position": position, "rng": torch.get_rng_state(), "epoch_rng": epoch_rng}, path)

    def load(path):
        nonlocal batches, position
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        batches, position = None, state["position"]
        if position:
            torch.set_rng_state(state["epoch_rng"] if fixed else state["rng"])
            start_epoch()
            for _ in range(state["position"]):
                next(batches)
            position = state["position"]
        torch.set_rng_state(state["rng"])

    return TrainingRun({"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
