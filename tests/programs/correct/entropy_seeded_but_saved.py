"""Each new run draws its data from fresh entropy, yet a resumed run continues exactly: the generator is saved.

Two runs differ; a run and its own resumption do not. Pass is right; undecidable would be too cautious, fail wrong.
"""
import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

REPEATABLE = False  # two uninterrupted runs differ (read by validate_c.py)


class Trainer:
    def __init__(self):
        self.rng = np.random.default_rng()  # from the operating system
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def step(self, i):
        x = torch.from_numpy(self.rng.standard_normal((6, 3), dtype=np.float32))
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": self.rng.bit_generator.state}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.rng.bit_generator.state = s["rng"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
