"""`checkpoint.get("phase") or DEFAULT`: phase 0 is falsy and becomes the default.

After https://github.com/PaddlePaddle/PaddleOCR/issues/18108 (global_step is read from the wrong place and restarts)
"""

import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Progressive resizing: level 0 is read with `or`, so a run stopped at level 0 resumes at the default level 2."
NAMES = ["level"]


def make_run(fixed):
    torch.manual_seed(4)
    signals = torch.randn(6, 6, 16)
    net = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    progress = {"level": 0, "batches": 0}

    def step(i):
        stride = (4, 2, 1)[progress["level"]]
        x = signals[i][:, None, ::stride]
        loss = (net(x).squeeze(1) - signals[i].std(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress["batches"] += 1
        if progress["batches"] % 2 == 0:
            progress["level"] = min(2, progress["level"] + 1)
        return loss.item()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save([net.state_dict(), optimizer.state_dict()], os.path.join(folder, "state.pth"))
        with open(os.path.join(folder, "progress.json"), "w") as f:
            json.dump(progress, f)

    def load(folder):
        weights, optim = torch.load(os.path.join(folder, "state.pth"))
        net.load_state_dict(weights)
        optimizer.load_state_dict(optim)
        with open(os.path.join(folder, "progress.json")) as f:
            saved = json.load(f)
        progress["batches"] = saved.get("batches", 0)
        if fixed:
            progress["level"] = saved.get("level", 2)
        else:
            progress["level"] = saved.get("level") or 2

    return TrainingRun({"net": net, "optimizer": optimizer}, step, save, load, name="progressive")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
