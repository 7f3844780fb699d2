"""The state of the random generator is kept in a dictionary by the name of the file, to be put back after a crash of a step."""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'The state of the random generator is kept in a dictionary by the name of the file, to be put back after a crash of a step.'
NAMES = ['output']
CHECK = 'resume_in_a_fresh_process'


RANDOM_STATES = {}


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x = torch.linspace(-1, 1, 32).view(8, 4) * (i + 1)
        loss = (nn.functional.dropout(self.model(x)) - i).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        RANDOM_STATES[str(path)] = torch.get_rng_state()
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "random": torch.get_rng_state() if self.fixed else None}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        state = RANDOM_STATES.get(str(path), checkpoint["random"])
        if state is not None:
            torch.set_rng_state(state)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
