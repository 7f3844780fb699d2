"""A trainer that writes the optimizer and forgets to read it.

https://github.com/NVIDIA-NeMo/Automodel/issues/763 (a refactoring lost the call of load_state_dict),
https://github.com/IntelLabs/distiller/issues/145
"""

import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The optimizer's state is in the file but resume() never gives it to the optimizer."
NAMES = ["optimizer", "momentum"]


class Trainer:
    def __init__(self, lr=0.05):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr, momentum=0.9, nesterov=True)
        self.log = []
        rng = torch.Generator().manual_seed(3)
        self.x = torch.randn(48, 4, generator=rng)
        self.y = (self.x[:, 0] > 0).long() + (self.x[:, 1] > 0).long()

    def train_step(self, step):
        began = time.perf_counter()
        rows = slice(8 * (step % 6), 8 * (step % 6) + 8)
        loss = nn.functional.cross_entropy(self.model(self.x[rows]), self.y[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.log.append({"step": step, "seconds": time.perf_counter() - began})
        return loss.detach()

    def save_checkpoint(self, path):
        torch.save({"model": self.model.state_dict(), "optim": self.optimizer.state_dict(), "log": self.log}, path)

    def load_checkpoint(self, path):
        state = torch.load(path, map_location="cpu")
        self.model.load_state_dict(state["model"])
        self.log = list(state["log"])


class MendedTrainer(Trainer):
    def load_checkpoint(self, path):
        super().load_checkpoint(path)
        self.optimizer.load_state_dict(torch.load(path, map_location="cpu")["optim"])


def make_run(fixed):
    trainer = MendedTrainer() if fixed else Trainer()
    return TrainingRun(
        components={"model": trainer.model, "optimizer": trainer.optimizer},
        step=trainer.train_step,
        save=trainer.save_checkpoint,
        load=trainer.load_checkpoint,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
