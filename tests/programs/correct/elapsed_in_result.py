"""The training is deterministic; the step reports its own duration next to the loss, and that is not."""
import time

import torch
from torch import nn

from pytest_ckpt import TrainingRun

EXPECT = "undecidable"


def make_run():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        start = time.perf_counter()
        x = torch.arange(16.0).view(4, 4).add(i).sin()
        optimizer.zero_grad()
        loss = (model(x) - x.mean(1, keepdim=True)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item(), "seconds": time.perf_counter() - start, "finished": time.time_ns()}

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        s = torch.load(path)
        model.load_state_dict(s["model"])
        optimizer.load_state_dict(s["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
