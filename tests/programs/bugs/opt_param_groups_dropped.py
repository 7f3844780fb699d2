"""Only optimizer.state_dict()["state"] is kept; a weight decay that grows in training is lost with the groups.

After DINO's weight-decay schedule and https://github.com/karpathy/char-rnn/issues/137 ("learningRate not saved").
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "param_groups are not saved, so the grown weight_decay is back at its first value."
NAMES = ["weight_decay", "param_groups"]


def make_run(fixed):
    torch.manual_seed(6)
    data = torch.rand(6, 12, 5)
    model = nn.Sequential(nn.Linear(5, 10), nn.ELU(), nn.Linear(10, 5))
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.04}, {"params": plain, "weight_decay": 0.0}])

    def step(i):
        loss = nn.functional.mse_loss(model(data[i]), data[i].roll(1, -1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["weight_decay"] *= 1.7
        return {"loss": loss.item()}

    def save(path):
        optim = optimizer.state_dict() if fixed else {"state": optimizer.state_dict()["state"]}
        torch.save({"model": model.state_dict(), "optim": optim}, path)

    def load(path):
        blob = torch.load(path)
        model.load_state_dict(blob["model"])
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"param_groups": groups, **blob["optim"]})

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
