"""To halve the checkpoint, the moments are written as bfloat16.

https://github.com/vllm-project/speculators/pull/899 ("Save and load optimizer state at full precision"),
https://github.com/TensorAuto/OpenTau/issues/184
"""

import pickle

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "exp_avg and exp_avg_sq pass through bfloat16 in the file and come back with 8 bits of mantissa."
NAMES = ["exp_avg", "precision", "optimizer"]


def shrink(value, full):
    if isinstance(value, torch.Tensor) and value.ndim and not full:
        value = value.bfloat16().float()
    return value.numpy().copy() if isinstance(value, torch.Tensor) else value


def unpack(value):
    return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value


def make_run(fixed):
    torch.manual_seed(73)
    x, y = torch.randn(6, 8, 6), torch.randn(6, 8, 2)
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def step(i):
        loss = nn.functional.mse_loss(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        packed = optimizer.state_dict()
        state = {i: {k: shrink(v, fixed) for k, v in s.items()} for i, s in packed["state"].items()}
        with open(path, "wb") as f:
            weights = {k: v.numpy() for k, v in model.state_dict().items()}
            pickle.dump({"weights": weights, "state": state, "groups": packed["param_groups"]}, f)

    def load(path):
        with open(path, "rb") as f:
            blob = pickle.load(f)
        model.load_state_dict({k: unpack(v) for k, v in blob["weights"].items()})
        state = {i: {k: unpack(v) for k, v in s.items()} for i, s in blob["state"].items()}
        optimizer.load_state_dict({"state": state, "param_groups": blob["groups"]})

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
