"""Dropout masks after a resume are not the ones of the uninterrupted run.

https://github.com/The-School-of-AI/LLM/pull/564, https://github.com/vllm-project/speculators/pull/1026
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "torch's random state is not in the checkpoint, so dropout draws other masks."
NAMES = ["rng", "random"]


def make_run(fixed):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 8, 10, generator=generator)
    y = torch.randint(0, 2, (6, 8), generator=generator)
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step(i):
        net.train()
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        checkpoint = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
        if fixed:
            checkpoint["torch_rng"] = torch.get_rng_state()
        torch.save(checkpoint, path)

    def load(path):
        checkpoint = torch.load(path)
        net.load_state_dict(checkpoint["net"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        if "torch_rng" in checkpoint:
            torch.set_rng_state(checkpoint["torch_rng"])

    return TrainingRun(components={"net": net, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
