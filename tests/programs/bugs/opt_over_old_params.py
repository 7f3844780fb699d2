"""The whole model is unpickled; the optimizer goes on updating the model that was thrown away.

https://github.com/pytorch/tutorials/issues/1430, https://github.com/NVIDIA/Megatron-LM/issues/174
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() replaces the model, the optimizer keeps the old parameters: the new weights never move."
NAMES = ["optimizer", "parameters"]


def build():
    return nn.Sequential(nn.Embedding(12, 8), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 12))


def make_run(fixed):
    tokens = torch.arange(60).remainder(11).view(6, 10)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(i):
        logits = model(tokens[i][:-1])
        loss = nn.functional.cross_entropy(logits, tokens[i][1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model, "optimizer": optimizer.state_dict()}, path)

    def load(path):
        nonlocal model, optimizer
        checkpoint = torch.load(path, weights_only=False)
        model = checkpoint["model"]
        if fixed:
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        optimizer.load_state_dict(checkpoint["optimizer"])

    return TrainingRun(
        components=lambda: {"model": model, "optimizer": optimizer},
        step=step,
        save=save,
        load=load,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
