"""An endless stream with a shuffle buffer; the stream is a component with cursor, buffer and generator."""
import random

import torch
from torch import nn
from torch.utils.data import IterableDataset

from pytest_ckpt import TrainingRun


class ShuffledStream(IterableDataset):
    def __init__(self, buffer_size=8, seed=3):
        self.cursor, self.buffer, self.size = 0, [], buffer_size
        self.rng = random.Random(seed)

    def read(self):
        n = self.cursor
        self.cursor += 1
        return [((n * 37) % 101) / 101, ((n * 53) % 97) / 97, float(n % 2)]

    def __iter__(self):
        while True:
            while len(self.buffer) < self.size:
                self.buffer.append(self.read())
            j = self.rng.randrange(self.size)
            self.buffer[j], self.buffer[-1] = self.buffer[-1], self.buffer[j]
            yield torch.tensor(self.buffer.pop())

    def state_dict(self):
        return {"cursor": self.cursor, "buffer": list(self.buffer), "rng": self.rng.getstate()}

    def load_state_dict(self, s):
        self.cursor, self.buffer = s["cursor"], list(s["buffer"])
        self.rng.setstate(s["rng"])


class Trainer:
    def __init__(self):
        self.stream = ShuffledStream()
        self.samples = iter(self.stream)
        self.model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def step(self, i):
        batch = torch.stack([next(self.samples) for _ in range(4)])
        loss = nn.functional.binary_cross_entropy_with_logits(self.model(batch[:, :2]), batch[:, 2:])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "stream": self.stream.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.stream.load_state_dict(s["stream"])
        self.samples = iter(self.stream)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer, "stream": t.stream},
                       step=t.step, save=t.save, load=t.load)
