"""CyclicLR.load_state_dict pops a key from the caller's dict, so a second load of the same dict raises KeyError.

After https://github.com/pytorch/pytorch/pull/91400 and https://github.com/Deci-AI/super-gradients/pull/1469; the error is
swallowed here, as resume code does when it accepts old files.
"""

import logging

import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR

from pytest_ckpt import TrainingRun

DOC = "Two schedulers are loaded from one dict; CyclicLR consumed a key, the second load fails and is only logged."
NAMES = [
    "scheduler",
    "last_epoch",
    "_step_count",
    "_last_lr",
    ".lr",
    "['lr']",
    "'lr'",
    "learning rate",
    "learning_rate",
]
log = logging.getLogger("resume")


def cyclic(optimizer):
    return CyclicLR(optimizer, base_lr=0.01, max_lr=0.2, step_size_up=2, mode="triangular2")


def make_run(fixed):
    gen = torch.Generator().manual_seed(64)
    x = torch.randn(6, 8, 5, generator=gen)
    model = nn.Linear(5, 3)
    bias = nn.Linear(5, 3)
    opt_a = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    opt_b = torch.optim.SGD(bias.parameters(), lr=0.01, momentum=0.9)
    schedulers = [cyclic(opt_a), cyclic(opt_b)]

    def step(i):
        loss = (model(x[i]) * bias(x[i])).sigmoid().sub(0.8).square().mean()
        opt_a.zero_grad(), opt_b.zero_grad()
        loss.backward()
        opt_a.step(), opt_b.step()
        for scheduler in schedulers:
            scheduler.step()
        return loss.item()

    def save(path):
        parts = {"model": model, "bias": bias, "opt_a": opt_a, "opt_b": opt_b, "schedule": schedulers[0]}
        torch.save({name: part.state_dict() for name, part in parts.items()}, path)

    def load(path):
        saved = torch.load(path)
        for name, part in {"model": model, "bias": bias, "opt_a": opt_a, "opt_b": opt_b}.items():
            part.load_state_dict(saved[name])
        for scheduler in schedulers:  # both follow the same schedule
            try:
                scheduler.load_state_dict(dict(saved["schedule"]) if fixed else saved["schedule"])
            except KeyError as error:
                log.warning("old checkpoint, schedule not restored: %s", error)

    parts = {"model": model, "bias": bias, "opt_a": opt_a, "opt_b": opt_b}
    parts |= {"scheduler_a": schedulers[0], "scheduler_b": schedulers[1]}
    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
