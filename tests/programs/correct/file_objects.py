"""torch.save to open file objects: header line, then two dumps one after the other in one gzip file."""
import gzip
import io

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def dumps(obj):
    b = io.BytesIO()
    torch.save(obj, b)
    return b.getvalue()


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 4), nn.CELU(), nn.Linear(4, 4))
        self.optimizer = torch.optim.Adamax(self.model.parameters(), lr=1e-2)

    def step(self, i):
        x = torch.eye(4) - 0.1 * i
        self.optimizer.zero_grad()
        loss = (self.model(x) @ x - torch.eye(4)).pow(2).sum()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        with gzip.open(path, "wb") as f:  # gzip writes the time into its header
            for part in (self.model, self.optimizer):
                data = dumps(part.state_dict())
                f.write(b"%d\n" % len(data))
                f.write(data)

    def load(self, path):
        with gzip.open(path, "rb") as f:
            for part in (self.model, self.optimizer):
                n = int(f.readline())
                part.load_state_dict(torch.load(io.BytesIO(f.read(n))))


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
