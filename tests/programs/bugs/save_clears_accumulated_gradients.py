"""Gradient accumulation: save() writes the gradients and then zeroes the live ones 'to free memory' before serialising."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() calls optimizer.zero_grad() in the middle of an accumulation window; the live run loses the micro-batches that the file still has."
NAMES = ["grad"]


class Accumulating:
    WINDOW = 3

    def __init__(self, clear_on_save):
        self.clear_on_save = clear_on_save
        self.model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-2)
        g = torch.Generator().manual_seed(1009)
        self.micro = [(torch.randn(4, 5, generator=g), torch.randn(4, 2, generator=g)) for _ in range(6)]

    def step(self, i):
        x, y = self.micro[i]
        loss = nn.functional.mse_loss(self.model(x), y) / self.WINDOW
        loss.backward()
        if (i + 1) % self.WINDOW == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss.item()

    def save(self, path):
        grads = {n: None if p.grad is None else p.grad.clone() for n, p in self.model.named_parameters()}
        if self.clear_on_save:
            self.optimizer.zero_grad()
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "grads": grads}, path)

    def load(self, path):
        ck = torch.load(path)
        self.model.load_state_dict(ck["model"])
        self.optimizer.load_state_dict(ck["optimizer"])
        for n, p in self.model.named_parameters():
            p.grad = ck["grads"][n]


def make_run(fixed):
    a = Accumulating(clear_on_save=not fixed)
    return TrainingRun(components={"model": a.model, "optimizer": a.optimizer}, step=a.step, save=a.save, load=a.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
