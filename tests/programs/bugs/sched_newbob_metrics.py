"""NewBob annealing compares with the last metric; the list of metrics is not written.

https://github.com/speechbrain/speechbrain/issues/1824 (wrong lr after a recovery with NewBobScheduler)
"""

import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "metric_values is left out of the scheduler's JSON, so the first comparison after a resume never anneals."
NAMES = ["metric_values", "newbob", "annealing", "hyperparam_value"]


class NewBob:
    def __init__(self, initial_value, annealing_factor=0.5, improvement=0.2):
        self.hyperparam_value, self.annealing_factor, self.improvement = initial_value, annealing_factor, improvement
        self.metric_values = []

    def __call__(self, metric):
        if self.metric_values:
            previous = self.metric_values[-1]
            if (previous - metric) / previous < self.improvement:
                self.hyperparam_value *= self.annealing_factor
        self.metric_values.append(metric)
        return self.hyperparam_value

    def save(self, file, full):
        data = {"hyperparam_value": self.hyperparam_value}
        if full:
            data["metric_values"] = self.metric_values
        with open(file, "w") as f:
            json.dump(data, f)

    def load(self, file):
        with open(file) as f:
            self.__dict__.update(json.load(f))


def make_run(fixed):
    torch.manual_seed(55)
    frames = torch.randn(6, 20, 7)
    brain = nn.Sequential(nn.Linear(7, 9), nn.LeakyReLU(), nn.Linear(9, 1))
    optimizer = torch.optim.Adadelta(brain.parameters(), lr=1.0)
    annealer = NewBob(1.0)

    def fit_epoch(epoch):
        loss = (brain(frames[epoch]).squeeze(1) - frames[epoch].max(1).values).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = annealer(loss.item())
        return loss.item()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(brain.state_dict(), f"{folder}/brain.ckpt")
        torch.save(optimizer.state_dict(), f"{folder}/optimizer.ckpt")
        annealer.save(f"{folder}/scheduler.json", full=fixed)

    def recover(folder):
        brain.load_state_dict(torch.load(f"{folder}/brain.ckpt"))
        optimizer.load_state_dict(torch.load(f"{folder}/optimizer.ckpt"))
        annealer.load(f"{folder}/scheduler.json")

    return TrainingRun({"brain": brain, "optimizer": optimizer}, fit_epoch, save, recover)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
