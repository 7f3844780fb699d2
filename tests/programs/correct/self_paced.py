"""Samples are drawn in proportion to their last loss; loss table and numpy generator are saved."""
import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class LossSampler:
    def __init__(self, n, seed):
        self.losses = np.ones(n)
        self.rng = np.random.default_rng(seed)

    def draw(self, k):
        return self.rng.choice(len(self.losses), k, replace=False, p=self.losses / self.losses.sum())

    def update(self, rows, losses):
        self.losses[rows] = 0.5 * self.losses[rows] + 0.5 * losses

    def state_dict(self):
        return {"losses": torch.from_numpy(self.losses.copy()), "rng": self.rng.bit_generator.state}

    def load_state_dict(self, s):
        self.losses[:] = s["losses"].numpy()
        self.rng.bit_generator.state = s["rng"]


def make_run():
    x = torch.linspace(-2, 2, 48).view(16, 3).sin()
    y = x.sum(1).sign()
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    sampler = LossSampler(16, 0)

    def step(i):
        rows = sampler.draw(5)
        each = nn.functional.softplus(-y[rows] * model(x[rows]).squeeze(1))
        optimizer.zero_grad()
        each.mean().backward()
        optimizer.step()
        sampler.update(rows, each.detach().double().numpy())
        return each.detach(), rows.tolist()

    return TrainingRun(components={"model": model, "optimizer": optimizer, "sampler": sampler}, step=step)
