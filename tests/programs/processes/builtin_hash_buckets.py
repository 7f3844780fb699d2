"""Words are put into buckets with the builtin hash(), another in every process; the loaded rows belong to other words."""

import zlib

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'Words are put into buckets with the builtin hash(), another in every process; the loaded rows belong to other words.'
NAMES = ['hash']
CHECK = 'loads_in_a_fresh_process'


WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "slept"]


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.table = nn.Embedding(64, 4)
        self.optimizer = torch.optim.Adam(self.table.parameters(), lr=0.1)

    def components(self):
        return {"table": self.table, "optimizer": self.optimizer}

    def buckets(self):
        return torch.tensor([(zlib.crc32(w.encode()) if self.fixed else hash(w)) % 64 for w in WORDS])

    def predict(self):
        return self.table(self.buckets())

    def step(self, i):
        loss = (self.predict() - torch.arange(8).view(8, 1)).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({k: c.state_dict() for k, c in self.components().items()}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        for k, c in self.components().items():
            c.load_state_dict(checkpoint[k])


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load, predict=t.predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
