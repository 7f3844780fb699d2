"""The best metric is kept in the logger, the logger is not restored: the learning rate is halved at other times.

After https://github.com/facebookresearch/fairseq/pull/661 (best validation loss in the checkpoint's extra state) and
https://github.com/csiro-mlai/dl_hpc_starter_pack/issues/2
"""

import json
import os
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "After a resume `best` is None, the first loss always counts as an improvement and the lr is not halved."
NAMES = ["best"]


def make_run(fixed):
    gen = torch.Generator().manual_seed(37)
    x = torch.randn(6, 10, 4, generator=gen)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    log = {"best": None, "seconds": []}

    def step(i):
        started = time.time()
        loss = (model(x[i]).squeeze(1) - x[i].square().sum(1)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if log["best"] is None or loss.item() < log["best"]:
            log["best"] = loss.item()
        else:
            for group in optimizer.param_groups:
                group["lr"] /= 2
        log["seconds"].append(time.time() - started)
        return loss.item()

    def save(directory):
        os.makedirs(directory, exist_ok=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, f"{directory}/last.pt")
        with open(f"{directory}/log.json", "w") as f:
            json.dump(log, f)

    def load(directory):
        state = torch.load(f"{directory}/last.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if fixed:
            with open(f"{directory}/log.json") as f:
                log.update(json.load(f))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
