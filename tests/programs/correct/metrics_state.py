"""Metrics that accumulate over an epoch; results report the running values, so they are in the checkpoint."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Mean:
    def __init__(self):
        self.reset()

    def reset(self):
        self.total, self.weight = 0.0, 0

    def update(self, value, n=1):
        self.total += value * n
        self.weight += n

    def compute(self):
        return self.total / self.weight if self.weight else float("nan")

    def state_dict(self):
        return {"total": self.total, "weight": self.weight}

    def load_state_dict(self, s):
        self.total, self.weight = s["total"], s["weight"]


class Confusion(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.register_buffer("matrix", torch.zeros(n, n, dtype=torch.long))

    def update(self, pred, true):
        for t, p in zip(true.tolist(), pred.tolist()):
            self.matrix[t, p] += 1


def make_run():
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loss_mean, confusion = Mean(), Confusion(3)

    def step(i):
        if i % 4 == 0:  # a new epoch
            loss_mean.reset()
            confusion.matrix.zero_()
        x = torch.arange(24.0).view(6, 4).mul(i + 1).sin()
        y = torch.arange(6) % 3
        out = model(x)
        loss = nn.functional.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_mean.update(loss.item(), len(x))
        confusion.update(out.argmax(1), y)
        return {"mean": loss_mean.compute(), "confusion": confusion.matrix}

    parts = {"model": model, "optimizer": optimizer, "loss_mean": loss_mean, "confusion": confusion}

    def save(path):
        torch.save({k: p.state_dict() for k, p in parts.items()}, path)

    def load(path):
        for k, s in torch.load(path).items():
            parts[k].load_state_dict(s)

    return TrainingRun(components=parts, step=step, save=save, load=load)
