"""Decay and no-decay groups with names, one LambdaLR function each (lambdas are saved as None)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def param_groups(model):
    decay, no_decay = [], []
    for name, p in model.named_parameters():
        (no_decay if p.ndim < 2 else decay).append((name, p))
    return [{"params": decay, "weight_decay": 0.1, "name": "decay"},
            {"params": no_decay, "weight_decay": 0.0, "name": "no_decay", "lr": 2e-2}]


class Warmup:
    """A callable object: LambdaLR saves and restores its attributes."""

    def __init__(self, n):
        self.n = n

    def __call__(self, epoch):
        return min(1.0, (epoch + 1) / self.n)


def make_run():
    model = nn.Sequential(nn.Linear(3, 9), nn.LayerNorm(9), nn.ReLU(), nn.Linear(9, 1))
    optimizer = torch.optim.AdamW(param_groups(model), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda e: 0.9 ** e, Warmup(4)])

    def step(i):
        x = torch.exp(-torch.arange(30.0) / (5 + i)).view(10, 3)
        optimizer.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return {"loss": loss.item(), **{g["name"]: g["lr"] for g in optimizer.param_groups}}

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                    "scheduler": scheduler.state_dict()}, path)

    def load(path):
        s = torch.load(path, weights_only=False)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])
        scheduler.load_state_dict(s["scheduler"])

    return TrainingRun(components={"model": model, "optimizer": optimizer, "scheduler": scheduler},
                       step=step, save=save, load=load)
