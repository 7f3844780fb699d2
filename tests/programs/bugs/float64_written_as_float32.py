"""A double precision model whose saver casts every tensor with .float() (load_state_dict casts back without a word)."""
import pickle

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The physics model trains in float64, the pickled arrays are float32, and copying them back casts silently."
NAMES = ["float32", "float64", "dtype", "precision", "potential", "weight"]


class Potential(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 12), nn.Softplus(), nn.Linear(12, 1)).double()
        self.register_buffer("offset", torch.zeros((), dtype=torch.float64))

    def forward(self, positions):
        return self.layers(positions).sum() + self.offset


def to_numpy(tree, cast):
    if isinstance(tree, torch.Tensor):
        array = tree.detach().cpu().numpy()
        return array.astype(np.float32) if cast and array.dtype == np.float64 else array.copy()
    if isinstance(tree, dict):
        return {k: to_numpy(v, cast) for k, v in tree.items()}
    return [to_numpy(v, cast) for v in tree] if isinstance(tree, list) else tree


def to_torch(tree):
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(tree.copy())
    if isinstance(tree, dict):
        return {k: to_torch(v) for k, v in tree.items()}
    return [to_torch(v) for v in tree] if isinstance(tree, list) else tree


def make_run(fixed):
    potential = Potential()
    optimizer = torch.optim.Adam(potential.parameters(), lr=1e-2)
    positions = torch.rand(6, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(6))

    def step(i):
        energy = potential(positions[i])
        loss = (energy - positions[i].norm(dim=1).sum()) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        potential.offset.mul_(0.9).add_(0.1 * energy.detach())
        return loss.item()

    def save(path):
        with open(path, "wb") as f:
            pickle.dump({"potential": to_numpy(dict(potential.state_dict()), cast=not fixed), "optimizer": to_numpy(optimizer.state_dict(), cast=False)}, f)

    def load(path):
        with open(path, "rb") as f:
            saved = pickle.load(f)
        potential.load_state_dict(to_torch(saved["potential"]))
        optimizer.load_state_dict(to_torch(saved["optimizer"]))

    return TrainingRun(components={"potential": potential, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
