"""Random generators of three kinds as components, saved and restored by the program itself."""
import random

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.torch_rng = torch.Generator().manual_seed(1)
        self.numpy_rng = np.random.Generator(np.random.PCG64(2))
        self.python_rng = random.Random(3)

    def step(self, i):
        x = torch.randn(6, 4, generator=self.torch_rng)
        x = x * float(self.numpy_rng.uniform(0.5, 1.5))
        if self.python_rng.choice([True, False]):
            x = -x
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.abs().sum(1, keepdim=True)).abs().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": [self.torch_rng.get_state(), self.numpy_rng.bit_generator.state,
                            self.python_rng.getstate()]}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        t, n, p = s["rng"]
        self.torch_rng.set_state(t)
        self.numpy_rng.bit_generator.state = n
        self.python_rng.setstate(p)


def make_run():
    t = Trainer()
    # NOTE the three generators have no state_dict(); the contract's "component: ... rng" is read as allowing them
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer, "torch_rng": t.torch_rng,
                                   "numpy_rng": t.numpy_rng, "python_rng": t.python_rng},
                       step=t.step, save=t.save, load=t.load)
