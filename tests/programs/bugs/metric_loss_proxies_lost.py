"""A loss with its own parameters (ArcFace / ProxyNCA) is optimised but not saved: a standing question in pytorch-metric-learning and insightface."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The proxies are parameters of the criterion; the checkpoint has model and optimizer, so a resumed run gets new random proxies."
NAMES = ["prox", "criterion", "loss_fn"]


class ProxyNCA(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim))

    def forward(self, z, y):
        z, p = nn.functional.normalize(z), nn.functional.normalize(self.proxies)
        return nn.functional.cross_entropy(-torch.cdist(z, p).square() * 3, y)


def build(config):
    model = nn.Sequential(nn.Linear(8, 16), nn.PReLU(), nn.Linear(16, config["dim"]))
    criterion = ProxyNCA(config["classes"], config["dim"])
    optimizer = torch.optim.AdamW([{"params": model.parameters()}, {"params": criterion.parameters(), "lr": 0.1}], lr=3e-3)
    return model, criterion, optimizer


def make_run(fixed):
    model, criterion, optimizer = build({"classes": 4, "dim": 5})
    g = torch.Generator().manual_seed(112)
    x, y = torch.randn(6, 10, 8, generator=g), torch.randint(0, 4, (6, 10), generator=g)

    def step(i):
        loss = criterion(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    kept = {"model": model, "optimizer": optimizer}
    if fixed:
        kept["criterion"] = criterion

    def save(path):
        torch.save({name: part.state_dict() for name, part in kept.items()}, path)

    def load(path):
        states = torch.load(path)
        for name, part in kept.items():
            part.load_state_dict(states[name])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
