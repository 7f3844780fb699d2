"""Gradient accumulation over 3 micro-batches; a checkpoint may fall in the middle, so grads are saved."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

ACCUM = 3


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-2)
        self.micro = 0

    def step(self, i):
        x = torch.sin(torch.arange(24.0) + 5 * i).view(6, 4)
        loss = (self.model(x).squeeze(1) - x.norm(dim=1)).pow(2).mean()
        (loss / ACCUM).backward()
        self.micro += 1
        if self.micro == ACCUM:
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.micro = 0
        return loss.item()

    def save(self, path):
        grads = {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None}
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "grads": grads, "micro": self.micro}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        for n, p in self.model.named_parameters():
            p.grad = s["grads"].get(n)
        self.micro = s["micro"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
