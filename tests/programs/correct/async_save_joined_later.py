"""Asynchronous writer that is joined at the next save, at exit, or by whoever loads: save() returns early.

The file appears atomically. load() in the same process joins the writer; another process waits for the file.
"""
import atexit
import copy
import os
import threading
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

_writers = {}


def _join(path=None):
    for p in [path] if path else list(_writers):
        writer = _writers.pop(p, None)
        if writer is not None:
            writer.join()


atexit.register(_join)


def _write(state, path):
    time.sleep(0.01)  # a slow disk
    torch.save(state, path + ".partial")
    os.replace(path + ".partial", path)


class Trainer:
    def __init__(self):
        self.model = nn.Linear(6, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, dampening=0.1)

    def step(self, i):
        x = torch.arange(30.0).view(5, 6).mul(i + 1).remainder(7)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(5) % 2)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        path = os.path.abspath(path)
        _join(path)
        state = copy.deepcopy({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()})
        _writers[path] = threading.Thread(target=_write, args=(state, path), name="ckpt-writer")
        _writers[path].start()

    def load(self, path):
        path = os.path.abspath(path)
        _join(path)
        deadline = time.monotonic() + 10
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.005)
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
