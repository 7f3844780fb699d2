"""A module whose extra state holds provenance (version, host time): informative, never read back."""
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Stamped(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 3)
        self.provenance = None

    def forward(self, x):
        return torch.tanh(self.body(x))

    def get_extra_state(self):
        return {"torch": str(torch.__version__), "unix_time": time.time()}

    def set_extra_state(self, state):
        self.provenance = f"written by torch {state['torch']} at {state['unix_time']:.0f}"


def make_run():
    model = nn.Sequential(Stamped(), Stamped(), nn.Linear(3, 1))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2, centered=True, momentum=0.5)
    data = torch.sin(torch.arange(36.0)).reshape(12, 3)

    def step(i):
        optimizer.zero_grad()
        out = model(data.roll(i, 0))
        loss = (out - data.prod(1, keepdim=True)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    def save(path):
        torch.save({"model": model.state_dict(), "optim": optimizer.state_dict()}, path)

    def load(path):
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optim"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
