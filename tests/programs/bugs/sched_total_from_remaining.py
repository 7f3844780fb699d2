"""On resume the length of the decay is taken from the steps that remain, and starts at the current one.

https://github.com/deepinsight/insightface/pull/2143 (max_steps of the schedule after a resume)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() builds the polynomial decay anew with total = remaining steps, so the rate jumps back to its start."
NAMES = [".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "total", "schedule", "scheduler", "max_steps"]
TOTAL_STEPS = 10


class PolyDecay:
    def __init__(self, optimizer, base_lr, total):
        self.optimizer, self.base_lr, self.total = optimizer, base_lr, total
        self.done = 0
        self.apply()

    def apply(self):
        for group in self.optimizer.param_groups:
            group["lr"] = self.base_lr * (1 - self.done / self.total) ** 2

    def step(self):
        self.done += 1
        self.apply()


def make_run(fixed):
    torch.manual_seed(16)
    faces, people = torch.randn(6, 8, 7), torch.randint(0, 5, (6, 8))
    model = nn.Sequential(nn.Linear(7, 7), nn.PReLU(), nn.Linear(7, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, weight_decay=5e-4)
    schedule = PolyDecay(optimizer, 0.3, TOTAL_STEPS)

    def step(i):
        loss = nn.functional.cross_entropy(model(faces[i]), people[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    def save(path):
        torch.save([schedule.done, model.state_dict(), optimizer.state_dict()], path)

    def load(path):
        nonlocal schedule
        done, weights, optim = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(optim)
        if fixed:
            schedule = PolyDecay(optimizer, 0.3, TOTAL_STEPS)
            schedule.done = done
            schedule.apply()
        else:
            schedule = PolyDecay(optimizer, 0.3, TOTAL_STEPS - done)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
