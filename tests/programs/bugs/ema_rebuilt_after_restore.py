"""The restored EMA tracker is replaced by a fresh one, built a few lines below.

https://github.com/ai2cm/ace/pull/819, https://github.com/m2lines/Samudra/pull/313
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "build_ema() is called after restore_checkpoint() and starts from the loaded model with num_updates 0."
NAMES = ["ema.", "num_updates", "average"]


class EMATracker:
    def __init__(self, model, decay=0.7):
        self.decay, self.num_updates = decay, 0
        self.average = {n: p.detach().clone() for n, p in model.named_parameters()}

    def __call__(self, model):
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for name, p in model.named_parameters():
            self.average[name].lerp_(p.detach(), 1 - decay)

    def state_dict(self):
        return {"num_updates": self.num_updates, "average": self.average}

    def load_state_dict(self, state):
        self.num_updates = state["num_updates"]
        self.average = {n: v.clone() for n, v in state["average"].items()}


class Stepper:
    def __init__(self, order_is_right):
        self.order_is_right = order_is_right
        self.model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.ema = EMATracker(self.model)
        self.fields = torch.randn(7, 4, 8, generator=torch.Generator().manual_seed(6)).cumsum(0)

    def step(self, i):
        loss = (self.model(self.fields[i]) - self.fields[i + 1]).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema(self.model)
        return loss.item()

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer, "ema": self.ema}

    def save(self, path):
        torch.save({k: v.state_dict() for k, v in self.parts().items()}, path)

    def restore(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.order_is_right:
            self.ema = EMATracker(self.model)
            self.ema.load_state_dict(state["ema"])
        else:
            self.ema.load_state_dict(state["ema"])
            self.ema = EMATracker(self.model)


def make_run(fixed):
    s = Stepper(order_is_right=fixed)
    return TrainingRun(components=s.parts, step=s.step, save=s.save, load=s.restore)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
