"""Components with careless but legal state dicts: live references out, the given dict kept, keys popped on load.

Nothing of it harms a program that writes files. The plugin saves."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Tracker:
    def __init__(self):
        self.stats = {"seen": 0, "sum": torch.zeros(3), "recent": []}

    def update(self, x):
        self.stats["seen"] += len(x)
        self.stats["sum"] += x.sum(0)
        self.stats["recent"].append(float(x.max()))
        del self.stats["recent"][:-3]

    def state_dict(self):
        return self.stats  # the living dict

    def load_state_dict(self, state):
        self.stats = state  # not a copy


class Scale:
    def __init__(self):
        self.value, self.hits = 1.0, 0

    def state_dict(self):
        return {"value": self.value, "hits": self.hits, "format": 3}

    def load_state_dict(self, state):
        assert state.pop("format") == 3
        self.value, self.hits = state.pop("value"), state.pop("hits")
        assert not state, f"unknown keys {list(state)}"


def make_run():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    tracker, scale = Tracker(), Scale()

    def step(i):
        x = torch.randn(5, 3) * scale.value
        tracker.update(x)
        mean = tracker.stats["sum"] / tracker.stats["seen"]
        optimizer.zero_grad()
        loss = (model(x - mean) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        optimizer.step()
        scale.hits += 1
        scale.value = 0.9 * scale.value + 0.1 * max(tracker.stats["recent"])
        return {"loss": loss.item(), "scale": scale.value, "hits": scale.hits}

    return TrainingRun(components={"model": model, "optimizer": optimizer, "tracker": tracker, "scale": scale},
                       step=step)
