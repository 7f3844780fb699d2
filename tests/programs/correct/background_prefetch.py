"""The next batch is made ahead in a background thread; a batch depends on its number alone, so only that is saved."""
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_batch(n):
    g = torch.Generator().manual_seed(31 * n + 7)
    x = torch.randn(6, 3, generator=g)
    return x, x.pow(2).sum(1, keepdim=True)


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self.seek(0)

    def seek(self, n):
        self.n = n
        self.future = self.pool.submit(make_batch, n)

    def next_batch(self):
        batch = self.future.result()
        self.seek(self.n + 1)
        return batch

    def step(self, i):
        x, y = self.next_batch()
        self.optimizer.zero_grad()
        loss = (self.model(x) - y).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "n": self.n}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.seek(s["n"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
