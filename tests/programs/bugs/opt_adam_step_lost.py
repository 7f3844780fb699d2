"""Moments are restored, Adam's step count is not: the bias correction starts over and the update explodes.

After https://github.com/NVIDIA/nvidia-resiliency-ext/pull/376 (step of another iteration) and sharded optimizers that
save "tensors of the parameter's shape" only.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Only state tensors shaped like the parameter are saved, so Adam's scalar step is 0 after resuming."
NAMES = ["].step", ".0.step", "['step']", "bias correction", "step count"]


def optimizer_tensors(optimizer, names, everything):
    out = {}
    for name, p in names.items():
        for key, value in optimizer.state[p].items():
            if everything or value.shape == p.shape:
                out[f"{name}/{key}"] = value.clone()
    return out


def make_run(fixed):
    gen = torch.Generator().manual_seed(77)
    inputs = [torch.randn(10, 4, generator=gen) for _ in range(6)]
    model = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 2))
    names = dict(model.named_parameters())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, betas=(0.9, 0.95))
    for p in names.values():  # sharded optimizers make their state ahead of the first step
        optimizer.state[p] = {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }

    def step(i):
        loss = model(inputs[i]).logsumexp(-1).sub(inputs[i].mean(-1)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optim": optimizer_tensors(optimizer, names, fixed)}, path)

    def load(path):
        blob = torch.load(path)
        model.load_state_dict(blob["model"])
        for key, value in blob["optim"].items():
            name, slot = key.split("/")
            optimizer.state[names[name]][slot].copy_(value)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
