"""Half of the model is on the CPU on purpose, and load() moves all of it to the device."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Half of the model is on the CPU on purpose, and load() moves all of it to the device."
SHOWS = ["cuda:1 -> cuda:1", "cpu -> cuda:1"]  # from where to where the bug shows
NAMES = ["same device", "0.weight"]


class Trainer:
    def __init__(self, device):
        self.device = torch.device(device)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.model[0].to("cpu")

    def loss(self):
        return self.model[1:](self.model[0](torch.randn(8, 4)).to(self.device)).pow(2).mean()

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
    def load(self, path):
        state = torch.load(path, map_location="cpu")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.model.to(self.device)
        self.set_rng(state["rng"])


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
