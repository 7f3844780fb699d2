"""A chain of schedulers that saves which phase it is in, and not the schedulers of the phases.

https://github.com/pytorch/pytorch/pull/65035 (SequentialLR had no state_dict of its own before 1.11)
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from pytest_ckpt import TrainingRun

DOC = "The chain's state_dict has its own counter only; the inner LinearLR and CosineAnnealingLR start over."
NAMES = ["scheduler", "last_epoch", "inner", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


class Phases:
    def __init__(self, schedulers, milestone):
        self.schedulers, self.milestone, self.count = schedulers, milestone, 0

    def step(self):
        self.schedulers[0 if self.count < self.milestone else 1].step()
        self.count += 1

    def state_dict(self):
        return {"count": self.count, "milestone": self.milestone}

    def load_state_dict(self, state):
        self.count, self.milestone = state["count"], state["milestone"]


class FullPhases(Phases):
    def state_dict(self):
        return super().state_dict() | {"inner": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        for scheduler, inner in zip(self.schedulers, state["inner"]):
            scheduler.load_state_dict(inner)


def make_run(fixed):
    torch.manual_seed(2)
    pixels = torch.rand(6, 10, 9)
    model = nn.Sequential(nn.Linear(9, 3), nn.ReLU(), nn.Linear(3, 9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    ramp = LinearLR(optimizer, start_factor=0.2, total_iters=3)
    cosine = CosineAnnealingLR(optimizer, T_max=6)
    scheduler = (FullPhases if fixed else Phases)([ramp, cosine], milestone=2)

    def step(i):
        loss = nn.functional.l1_loss(model(pixels[i]), pixels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    def save(path):
        torch.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()},
            path,
        )

    def load(path):
        blob = torch.load(path)
        model.load_state_dict(blob["model"])
        optimizer.load_state_dict(blob["optimizer"])
        scheduler.load_state_dict(blob["scheduler"])

    parts = {"autoencoder": model, "optimizer": optimizer, "scheduler": scheduler}
    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
