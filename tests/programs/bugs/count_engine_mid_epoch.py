"""An engine's iteration is computed as epoch * epoch_length, which forgets the steps within the epoch.

https://github.com/pytorch/ignite/issues/1637, https://github.com/pytorch/ignite/pull/2678 ("engine resumes from
state.iteration % epoch_length not zero")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "state_dict() keeps the epoch only: resumed in mid-epoch, the engine repeats the batches of this epoch."
NAMES = ["iteration", "trainer.epoch", "engine"]


class Engine:
    """A small ignite: it asks for the batch of its own iteration."""

    keys = ("epoch", "epoch_length")

    def __init__(self, process, epoch_length):
        self.process, self.epoch_length = process, epoch_length
        self.epoch = self.iteration = 0

    def run_one(self, data):
        output = self.process(data[self.iteration % len(data)])
        self.iteration += 1
        self.epoch = self.iteration // self.epoch_length
        return output

    def state_dict(self):
        return {key: getattr(self, key) for key in self.keys}

    def load_state_dict(self, state):
        vars(self).update(state)
        self.iteration = state.get("iteration", self.epoch * self.epoch_length)


class ExactEngine(Engine):
    keys = ("epoch", "epoch_length", "iteration")


def make_run(fixed):
    g = torch.Generator().manual_seed(1234)
    data = torch.randn(6, 5, 4, generator=g)
    model = nn.Linear(4, 4)
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.03)

    def update(batch):
        loss = (model(batch).softmax(-1) - batch.softmax(-1)).abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    engine = (ExactEngine if fixed else Engine)(update, epoch_length=3)
    to_save = {"trainer": engine, "model": model, "optimizer": optimizer}

    def save(path):
        torch.save({k: v.state_dict() for k, v in to_save.items()}, path)

    def load(path):
        for k, state in torch.load(path).items():
            to_save[k].load_state_dict(state)

    return TrainingRun(components=to_save, step=lambda i: engine.run_one(data), save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
