"""The position in the stream is saved; the contents of the shuffle buffer are not.

After https://github.com/lightseekorg/TorchSpec/pull/43 ("buffers can still replay or drop a small in-flight tail") and
webdataset / datasets.IterableDataset.shuffle, which refill the buffer on resume.
"""

import pickle
import random

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Samples waiting in the shuffle buffer are lost; the resumed stream refills it with later ones."
NAMES = [".buffer", "shuffle", "stream"]


class ShuffledStream:
    def __init__(self, samples, size, seed):
        self.samples, self.size = samples, size
        self.rng = random.Random(seed)
        self.position, self.buffer = 0, []

    def read(self):
        sample = self.samples[self.position % len(self.samples)]
        self.position += 1
        return sample

    def draw(self):
        while len(self.buffer) < self.size:
            self.buffer.append(self.read())
        pick = self.rng.randrange(len(self.buffer))
        sample, self.buffer[pick] = self.buffer[pick], self.read()
        return sample

    def state(self, full):
        state = {"position": self.position, "rng": self.rng.getstate()}
        return state | {"buffer": list(self.buffer)} if full else state

    def restore(self, state):
        self.position = state["position"]
        self.rng.setstate(state["rng"])
        self.buffer = list(state.get("buffer", []))


def make_run(fixed):
    gen = torch.Generator().manual_seed(60)
    samples = list(torch.randn(40, 5, generator=gen))
    stream = ShuffledStream(samples, size=6, seed=3)
    model = nn.Sequential(nn.Linear(5, 10), nn.CELU(), nn.Linear(10, 1))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)

    def step(i):
        x = torch.stack([stream.draw() for _ in range(3)])
        loss = (model(x).squeeze(1) - x.median(1).values).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        with open(path, "wb") as f:
            pickle.dump([model.state_dict(), optimizer.state_dict(), stream.state(full=fixed)], f)

    def load(path):
        with open(path, "rb") as f:
            weights, optim, data = pickle.load(f)
        model.load_state_dict(weights)
        optimizer.load_state_dict(optim)
        stream.restore(data)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
