"""The file's sha256 stands in a file beside it and is verified by load; weights are stored as bit differences from
the seeded starting point."""
import hashlib
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def start_weights(shapes):
    g = torch.Generator().manual_seed(2718)
    return {k: torch.randn(s, generator=g) * 0.3 for k, s in shapes.items()}


def xor(a, b):
    return torch.bitwise_xor(a.view(torch.int32), b.view(torch.int32))


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
        self.start = start_weights({k: tuple(v.shape) for k, v in self.model.state_dict().items()})
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def step(self, i):
        x = torch.arange(18.0).view(6, 3).mul(0.4).add(i).sin()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.mean(1, keepdim=True)).abs().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        path = Path(path)
        delta = {k: xor(v, self.start[k]) for k, v in self.model.state_dict().items()}
        torch.save({"delta": delta, "optimizer": self.optimizer.state_dict()}, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")

    def load(self, path):
        path = Path(path)
        digest = path.with_name(path.name + ".sha256").read_text().split()[0]
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise OSError(f"{path} is damaged")
        s = torch.load(path)
        weights = {k: xor(self.start[k], d.view(torch.float32)).view(torch.float32) for k, d in s["delta"].items()}
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
