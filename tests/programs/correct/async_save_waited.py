"""Asynchronous writer; the adapter waits for it, as anybody does who wants to read the file."""
import threading

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def to_cpu_copy(obj):
    if isinstance(obj, torch.Tensor):
        return obj.detach().clone()
    if isinstance(obj, dict):
        return {k: to_cpu_copy(v) for k, v in obj.items()}
    if isinstance(obj, (list, tuple)):
        return type(obj)(to_cpu_copy(v) for v in obj)
    return obj


class AsyncTrainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 4))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2, amsgrad=True)
        self.pending = []

    def step(self, i):
        x = torch.arange(32.0).view(8, 4).mul(0.7 * (i + 1)).sin()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x ** 3).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save_async(self, path):
        frozen = to_cpu_copy({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()})
        t = threading.Thread(target=torch.save, args=(frozen, path))
        t.start()
        self.pending.append(t)

    def wait(self):
        while self.pending:
            self.pending.pop().join()

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = AsyncTrainer()

    def save(path):
        t.save_async(path)
        t.wait()

    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=save, load=t.load)
