"""`checkpoint.get("normalizer_state")` against a saved "normaliser_state": None, so skipped. Typos in keys are behind omertov/encoder4editing#22-like reports."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The key is spelled differently in save and load, .get() returns None, and the return normalizer keeps its initial statistics."
NAMES = ["normali", "mean_square", "ret_"]


class ReturnNormalizer:
    def __init__(self):
        self.mean_square, self.count = torch.tensor(1.0), 0

    def __call__(self, returns):
        self.count += 1
        self.mean_square += (returns.square().mean() - self.mean_square) / (self.count + 1)
        return returns / self.mean_square.sqrt()

    def state_dict(self):
        return {"mean_square": self.mean_square.clone(), "count": self.count}

    def load_state_dict(self, state):
        self.mean_square, self.count = state["mean_square"].clone(), state["count"]


class ActorCritic:
    KEY = "normaliser_state"

    def __init__(self, key_on_load):
        self.key_on_load = key_on_load
        self.value = nn.Sequential(nn.Linear(3, 10), nn.ReLU6(), nn.Linear(10, 1))
        self.opt = torch.optim.Adam(self.value.parameters(), lr=1e-2)
        self.normalizer = ReturnNormalizer()

    def step(self, i):
        g = torch.Generator().manual_seed(2 * i + 1)
        obs, returns = torch.randn(11, 3, generator=g), torch.randn(11, 1, generator=g) * 10
        loss = (self.value(obs) - self.normalizer(returns)).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        torch.save({"value": self.value.state_dict(), "opt": self.opt.state_dict(), self.KEY: self.normalizer.state_dict()}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        self.value.load_state_dict(checkpoint["value"])
        self.opt.load_state_dict(checkpoint["opt"])
        state = checkpoint.get(self.key_on_load)
        if state is not None:
            self.normalizer.load_state_dict(state)


def make_run(fixed):
    a = ActorCritic(key_on_load=ActorCritic.KEY if fixed else "normalizer_state")
    return TrainingRun(components={"value": a.value, "opt": a.opt, "normalizer": a.normalizer}, step=a.step, save=a.save, load=a.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
