"""Augmentation with Python's random and numpy's global generator; both states are in the checkpoint."""
import random

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.images = torch.linspace(0, 1, 4 * 36).view(4, 1, 6, 6)

    def augment(self, x):
        if random.random() < 0.5:
            x = x.flip(-1)
        x = x.roll(random.randint(-2, 2), -2)
        return x * np.random.uniform(0.8, 1.2) + torch.from_numpy(np.random.normal(0, 0.1, x.shape)).float()

    def step(self, i):
        x = torch.stack([self.augment(im) for im in self.images])
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.tensor([0, 1, 0, 1]))
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        kind, keys, pos, has_gauss, cached = np.random.get_state()
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "python": random.getstate(),
                    "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), pos, has_gauss, cached)}, path)

    def load(self, path):
        s = torch.load(path, weights_only=True)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        random.setstate(s["python"])
        kind, keys, *rest = s["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
