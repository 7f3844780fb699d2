"""A bucketing sampler whose __getstate__ drops its random generator, "as it cannot be pickled".

After https://github.com/lhotse-speech/lhotse/pull/417 (sampler state) and https://github.com/meta-pytorch/data/issues/1440
"""

import pickle
import random
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The pickled sampler loses its random.Random and makes a new one from the seed, repeating its early choices."
NAMES = ["sampler", "rng", "random", "bucket"]


class BucketSampler:
    def __init__(self, buckets, seed):
        self.buckets, self.seed, self.drawn = buckets, seed, 0
        self.rng = random.Random(seed)

    def draw(self):
        self.drawn += 1
        return self.rng.choice(self.buckets)

    def snapshot(self, fixed):
        state = dict(self.__dict__)
        if not fixed:
            del state["rng"]
        return pickle.dumps(state)

    def revive(self, blob):
        state = pickle.loads(blob)
        self.__dict__.update(state)
        if "rng" not in state:
            self.rng = random.Random(self.seed)


def make_run(fixed):
    torch.manual_seed(71)
    cuts = torch.randn(24, 6)
    sampler = BucketSampler([list(range(n, n + 4)) for n in range(0, 24, 4)], seed=8)
    model = nn.Sequential(nn.Linear(6, 6), nn.Softsign(), nn.Linear(6, 6))
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.02)

    def step(i):
        x = cuts[sampler.draw()]
        loss = (model(x) - x.sort(-1).values).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        Path(path).mkdir(parents=True, exist_ok=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, Path(path) / "model.pt")
        (Path(path) / "sampler.pkl").write_bytes(sampler.snapshot(fixed))

    def load(path):
        state = torch.load(Path(path) / "model.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        sampler.revive((Path(path) / "sampler.pkl").read_bytes())

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
