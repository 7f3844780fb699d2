"""EMA with warm-up: the number of updates is lost, the decay ramps up again: ultralytics/yolov5#310, m2lines/Samudra#282 ('ema_cur_decay somehow got reset')."""
import copy
from dataclasses import dataclass, field

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "EMA weights are saved, the count of updates that drives the decay's warm-up is not; the average is too quick after a resume."
NAMES = ["updates", "ema", "decay"]


@dataclass
class WarmEMA:
    model: nn.Module
    updates: int = 0
    shadow: nn.Module = field(init=False)

    def __post_init__(self):
        self.shadow = copy.deepcopy(self.model).requires_grad_(False)

    @torch.no_grad()
    def update(self):
        self.updates += 1
        decay = min(0.99, (1 + self.updates) / (4 + self.updates))
        for s, p in zip(self.shadow.parameters(), self.model.parameters()):
            s.lerp_(p, 1 - decay)


def make_run(fixed):
    model = nn.Sequential(nn.Linear(4, 6), nn.CELU(), nn.Linear(6, 4))
    ema = WarmEMA(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    log = []

    def step(i):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(310 + i))
        loss = (model(x) - x.sign()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update()
        log.append((i, loss.item()))
        return loss.item()

    def save(path):
        data = {"model": model.state_dict(), "ema": ema.shadow.state_dict(), "optimizer": optimizer.state_dict()}
        if fixed:
            data["updates"] = ema.updates
        torch.save(data, path)

    def load(path):
        data = torch.load(path)
        model.load_state_dict(data["model"])
        ema.shadow.load_state_dict(data["ema"])
        optimizer.load_state_dict(data["optimizer"])
        ema.updates = data.get("updates", 0)

    return TrainingRun(components={"model": model, "ema": ema.shadow, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
