"""Write to a temporary file beside the target, fsync, rename."""
import os
import tempfile

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def atomic_save(obj, path):
    folder, name = os.path.split(os.path.abspath(path))
    fd, tmp = tempfile.mkstemp(prefix="." + name, dir=folder)
    try:
        with os.fdopen(fd, "wb") as f:
            torch.save(obj, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(tmp, path)
    except BaseException:
        os.unlink(tmp)
        raise


class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Embedding(10, 5), nn.Flatten(), nn.Linear(15, 10))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.02, betas=(0.8, 0.99))

    def step(self, i):
        t = (torch.arange(12).view(4, 3) + i) % 10
        self.opt.zero_grad()
        loss = nn.functional.cross_entropy(self.net(t), (t.sum(1)) % 10)
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        atomic_save({"net": self.net.state_dict(), "opt": self.opt.state_dict()}, path)

    def load(self, path):
        s = torch.load(path, mmap=True, weights_only=True)
        self.net.load_state_dict(s["net"])
        self.opt.load_state_dict(s["opt"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"net": t.net, "opt": t.opt}, step=t.step, save=t.save, load=t.load)
