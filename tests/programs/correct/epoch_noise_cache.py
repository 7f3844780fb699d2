"""Noise drawn once per epoch from the global generator and reused for its three steps: the noise itself is saved."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

STEPS_PER_EPOCH = 3


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.noise = None

    def step(self, i):
        if i % STEPS_PER_EPOCH == 0:
            self.noise = 0.3 * torch.randn(6, 4)
        x = torch.linspace(-1, 1, 24).view(6, 4).mul(1 + i % STEPS_PER_EPOCH) + self.noise
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.prod(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        state = {"model": self.model.state_dict(), "noise": self.noise, "rng": torch.random.get_rng_state()}
        with open(path, "wb") as f:
            torch.save(state, f, _use_new_zipfile_serialization=False)

    def load(self, path):
        with open(path, "rb") as f:
            s = torch.load(f, weights_only=True)
        self.model.load_state_dict(s["model"])
        self.noise = s["noise"]
        torch.random.set_rng_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
