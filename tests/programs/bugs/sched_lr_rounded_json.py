"""The learning rate goes through a log line: six digits in a JSON file, and is read back from there.

After https://github.com/jcjohnson/torch-rnn/issues/72 (counters in the checkpoint's JSON) and resume scripts that parse logs.
"""

import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "lr is rounded to six digits on its way through JSON; the multiplicative decay goes on from the rounded value."
NAMES = [".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


def make_run(fixed):
    gen = torch.Generator().manual_seed(18)
    x = torch.randn(6, 8, 3, generator=gen)
    model = nn.Sequential(nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.07, momentum=0.9)

    def step(i):
        loss = (model(x[i]).squeeze(1) - x[i].amin(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.93
        return loss.item()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        lr = optimizer.param_groups[0]["lr"]
        with open(os.path.join(folder, "args.json"), "w") as f:
            json.dump({"lr": lr if fixed else round(lr, 6)}, f)
        momentum = {n: optimizer.state.get(p, {}).get("momentum_buffer") for n, p in model.named_parameters()}
        torch.save({"weights": model.state_dict(), "momentum": momentum}, os.path.join(folder, "tensors.pt"))

    def load(folder):
        tensors = torch.load(os.path.join(folder, "tensors.pt"))
        model.load_state_dict(tensors["weights"])
        for name, p in model.named_parameters():
            if tensors["momentum"][name] is not None:
                optimizer.state[p]["momentum_buffer"] = tensors["momentum"][name]
        with open(os.path.join(folder, "args.json")) as f:
            optimizer.param_groups[0]["lr"] = json.load(f)["lr"]

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
