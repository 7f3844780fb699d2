"""A numpy Generator is "saved" by its seed, so a resumed run draws its first batches again.

https://github.com/kyutai-labs/pocket-tts/pull/287 (its rng seed is fixed, so every relaunch replays the same draws)
"""

import json
import os

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The JSON holds the seed of np.random.default_rng and not its state; negative samples start over."
NAMES = ["rng", "random", "generator"]


class SkipGram:
    def __init__(self, seed=5):
        torch.manual_seed(seed)
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.vectors = nn.Embedding(30, 8)
        self.context = nn.Embedding(30, 8)
        params = [*self.vectors.parameters(), *self.context.parameters()]
        self.optimizer = torch.optim.Adagrad(params, lr=0.3)

    def step(self, i):
        words = torch.arange(5 * i, 5 * i + 5) % 30
        near = (words + 1) % 30
        far = torch.from_numpy(self.rng.integers(0, 30, size=(5, 3)))
        v = self.vectors(words)
        logits = torch.cat([(v * self.context(near)).sum(1, keepdim=True), -(v[:, None] * self.context(far)).sum(2)], 1)
        loss = -nn.functional.logsigmoid(logits).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def components(self):
        return {"vectors": self.vectors, "context": self.context, "optimizer": self.optimizer}


def make_run(fixed):
    run = SkipGram()

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save({n: c.state_dict() for n, c in run.components().items()}, f"{folder}/weights.pt")
        rng = {"state": run.rng.bit_generator.state} if fixed else {"seed": run.seed}
        with open(f"{folder}/rng.json", "w") as f:
            json.dump(rng, f)

    def load(folder):
        weights = torch.load(f"{folder}/weights.pt")
        for name, component in run.components().items():
            component.load_state_dict(weights[name])
        with open(f"{folder}/rng.json") as f:
            rng = json.load(f)
        run.rng = np.random.default_rng(rng.get("seed"))
        if "state" in rng:
            run.rng.bit_generator.state = rng["state"]

    return TrainingRun(components=run.components(), step=run.step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
