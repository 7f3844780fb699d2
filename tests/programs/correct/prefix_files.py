"""The path is only a prefix: three files begin with it, and nothing exists at the path itself."""
import json
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    counters = {"steps": 0, "samples": 0}

    def step(i):
        x = torch.arange(12.0).view(4, 3).mul(1.0 + i).remainder(5)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 1, 0]))
        loss.backward()
        optimizer.step()
        counters["steps"] += 1
        counters["samples"] += 4
        return loss.item(), dict(counters)

    def names(path):
        path = Path(path)
        return [path.parent / f"{path.name}-{part}" for part in ("model.pt", "optimizer.pt", "counters.json")]

    def save(path):
        m, o, c = names(path)
        torch.save(model.state_dict(), m)
        torch.save(optimizer.state_dict(), o)
        c.write_text(json.dumps(counters))

    def load(path):
        m, o, c = names(path)
        model.load_state_dict(torch.load(m))
        optimizer.load_state_dict(torch.load(o))
        counters.update(json.loads(c.read_text()))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)
