"""Checkpoints in a SQLite database; each save is a new row with a time, load takes the last one."""
import io
import sqlite3
import time
from contextlib import closing

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Store:
    def __init__(self, path):
        self.db = sqlite3.connect(str(path))
        self.db.execute("create table if not exists ckpt (id integer primary key, saved real, step int, blob blob)")

    def put(self, step, obj):
        b = io.BytesIO()
        torch.save(obj, b)
        with self.db:
            self.db.execute("insert into ckpt (saved, step, blob) values (?, ?, ?)", (time.time(), step, b.getvalue()))

    def last(self):
        step, blob = self.db.execute("select step, blob from ckpt order by id desc limit 1").fetchone()
        return step, torch.load(io.BytesIO(blob))

    def close(self):
        self.db.close()


class Trainer:
    def __init__(self):
        self.model = nn.Linear(3, 3)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.2, momentum=0.9)
        self.global_step = 0

    def step(self, i):
        x = torch.arange(9.0).view(3, 3).add(self.global_step).sin()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.T).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.global_step += 1
        return loss.item()

    def save(self, path):
        with closing(Store(path)) as store:
            store.put(self.global_step, {"m": self.model.state_dict(), "o": self.optimizer.state_dict()})

    def load(self, path):
        with closing(Store(path)) as store:
            self.global_step, s = store.last()
        self.model.load_state_dict(s["m"])
        self.optimizer.load_state_dict(s["o"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
