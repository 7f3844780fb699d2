"""set_rng_state_all() gets one state per device of the machine that saved, and this one has fewer."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "set_rng_state_all() gets one state per device of the machine that saved, and this one has fewer."
SHOWS = ["cuda:1 -> cuda:0 of 1"]  # from where to where the bug shows
NAMES = ["index out of range"]


class Trainer:
    def __init__(self, device):
        self.device = torch.device(device)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1)).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def loss(self):
        return self.model(torch.randn(8, 4).to(self.device)).pow(2).mean()

    def step(self, i):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def rng(self):
        return {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def set_rng(self, state):
        torch.set_rng_state(state["cpu"])
        for index in range(min(len(state["cuda"]), torch.cuda.device_count())):
            torch.cuda.set_rng_state(state["cuda"][index], index)

    def save(self, path):
        torch.save(
            {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "rng": self.rng()}, path
        )

    def load(self, path):
        state = torch.load(path, map_location="cpu")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.set_rng(state["rng"])


class Buggy(Trainer):
    def set_rng(self, state):
        torch.set_rng_state(state["cpu"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])


def make(trainer):
    return TrainingRun(
        components=lambda: {"model": trainer.model, "optimizer": trainer.optimizer},
        step=trainer.step,
        save=trainer.save,
        load=trainer.load,
    )


def make_buggy(device="cpu"):
    return make(Buggy(device))


def make_fixed(device="cpu"):
    return make(Trainer(device))
