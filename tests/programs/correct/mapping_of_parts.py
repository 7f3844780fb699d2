"""make_run returns a mapping of name to stateful objects, warmed up by a few steps; no step is offered."""
import time
from types import MappingProxyType

import torch
from torch import nn


class Clock:
    def state_dict(self):
        return {"now": time.time()}

    def load_state_dict(self, state):
        self.loaded = state["now"]


def make_run():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
    return MappingProxyType({"model": model, "optimizer": optimizer, "scheduler": scheduler, "clock": Clock()})
