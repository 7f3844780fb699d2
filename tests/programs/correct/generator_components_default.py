"""Generators as components and no save: the plugin writes them. NOTE: relies on 'rng' being a component kind."""
import random

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    noise = torch.Generator().manual_seed(4)
    order = np.random.default_rng(5)
    coin = random.Random(6)

    def step(i):
        x = torch.randn(5, 3, generator=noise)[torch.from_numpy(order.permutation(5))]
        scale = coin.gauss(1.0, 0.1)
        loss = nn.functional.cross_entropy(model(x * scale), x.argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer, "noise": noise, "order": order,
                                   "coin": coin}, step=step)
