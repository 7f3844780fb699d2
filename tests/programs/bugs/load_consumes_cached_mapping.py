"""A process-wide cache of loaded checkpoints and a loader that pops from it (as CyclicLR.load_state_dict pops from its argument; IntelLabs/distiller#300)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() pops the scheduler's entry out of a mapping that stays in a cache: the first load is right, a second load of the same file in one process keeps a fresh scheduler."
NAMES = ["scheduler", "sched", "lr", "keyerror", "second"]

CACHE = {}


def read(path, private):
    key = (str(path),)
    if key not in CACHE:
        CACHE[key] = torch.load(path)
    return dict(CACHE[key]) if private else CACHE[key]


class Trainer:
    def __init__(self, private):
        self.private = private
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Mish(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.7)

    def step(self, i):
        x = torch.linspace(-1, 1, 24).view(8, 3) * (1 + i)
        loss = (self.model(x) - x.abs().sum(1, keepdim=True)).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return {"loss": loss.item(), "lr": self.scheduler.get_last_lr()[0]}

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}, path)
        CACHE.pop((str(path),), None)

    def load(self, path):
        state = read(path, self.private)
        scheduler_state = state.pop("scheduler", None)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict({**state["optimizer"], "state": {k: {n: v.clone() for n, v in s.items()} for k, s in state["optimizer"]["state"].items()}})
        if scheduler_state is not None:
            self.scheduler.load_state_dict(scheduler_state)


def make_run(fixed):
    t = Trainer(private=fixed)
    return TrainingRun(
        components={"model": t.model, "optimizer": t.optimizer, "scheduler": t.scheduler}, step=t.step, save=t.save, load=t.load
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
