"""Optimizer states go to a database that is opened in memory, and live as long as the process."""

import io
import sqlite3

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = 'Optimizer states go to a database that is opened in memory, and live as long as the process.'
NAMES = ['optimizer']
CHECK = 'loads_in_a_fresh_process'


DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
DATABASE.execute("create table states (path text primary key, state blob)")


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, i):
        x = torch.linspace(-1, 1, 32).view(8, 4) * (i + 1)
        loss = (self.model(x) - i).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save(self.model.state_dict(), path)
        buffer = io.BytesIO()
        torch.save(self.optimizer.state_dict(), buffer)
        if self.fixed:
            path.with_suffix(".optimizer").write_bytes(buffer.getvalue())
        else:
            DATABASE.execute("insert or replace into states values (?, ?)", (str(path), buffer.getvalue()))

    def load(self, path):
        self.model.load_state_dict(torch.load(path))
        if self.fixed:
            row = [path.with_suffix(".optimizer").read_bytes()]
        else:
            row = DATABASE.execute("select state from states where path = ?", (str(path),)).fetchone()
        if row:
            self.optimizer.load_state_dict(torch.load(io.BytesIO(row[0])))


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
