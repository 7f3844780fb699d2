"""One tar file with numpy arrays and a JSON; modification times are those of the save."""
import io
import json
import tarfile
import time

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), int(time.time())
    tar.addfile(info, io.BytesIO(data))


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))
        self.velocity = {n: torch.zeros_like(p) for n, p in self.model.named_parameters()}
        self.count = 0

    def step(self, i):
        x = torch.linspace(-1, 1, 21).view(7, 3).roll(i, 0)
        loss = (self.model(x) - x.cumsum(0)[:, :1]).pow(2).mean()
        self.model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for n, p in self.model.named_parameters():
                self.velocity[n].mul_(0.9).add_(p.grad)
                p.sub_(0.05 * self.velocity[n])
        self.count += 1
        return loss.item(), self.count

    def save(self, path):
        with tarfile.open(path, "w:bz2") as tar:
            for kind, tensors in (("weights", self.model.state_dict()), ("velocity", self.velocity)):
                for n, t in tensors.items():
                    b = io.BytesIO()
                    np.save(b, t.numpy())
                    add(tar, f"{kind}/{n}.npy", b.getvalue())
            add(tar, "meta.json", json.dumps({"count": self.count}).encode())

    def load(self, path):
        weights = {}
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                data = tar.extractfile(member).read()
                if member.name == "meta.json":
                    self.count = json.loads(data)["count"]
                    continue
                kind, name = member.name.removesuffix(".npy").split("/")
                tensor = torch.from_numpy(np.load(io.BytesIO(data)))
                if kind == "weights":
                    weights[name] = tensor
                else:
                    self.velocity[name].copy_(tensor)
        self.model.load_state_dict(weights)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model}, step=t.step, save=t.save, load=t.load)
