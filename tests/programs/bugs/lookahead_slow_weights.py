"""Lookahead hands out the inner optimizer's state_dict; slow weights are taken afresh from the loaded fast ones.

https://github.com/kozistr/pytorch_optimizer/pull/310, https://github.com/mgrankin/over9000/issues/6
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Lookahead's slow weights are not in the checkpoint, so the next synchronisation pulls to another point."
NAMES = ["slow", "lookahead"]


class Lookahead:
    def __init__(self, optimizer, k=4, alpha=0.5):
        self.optimizer, self.k, self.alpha = optimizer, k, alpha
        self.counter = 0
        self.slow = None

    def params(self):
        return [p for g in self.optimizer.param_groups for p in g["params"]]

    @torch.no_grad()
    def step(self):
        if self.slow is None:
            self.slow = [p.clone() for p in self.params()]
        self.optimizer.step()
        self.counter += 1
        if self.counter % self.k == 0:
            for slow, fast in zip(self.slow, self.params()):
                slow.lerp_(fast, self.alpha)
                fast.copy_(slow)

    def state_dict(self, with_slow):
        state = {"fast": self.optimizer.state_dict(), "counter": self.counter}
        return state | {"slow": self.slow} if with_slow else state

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state["fast"])
        self.counter = state["counter"]
        self.slow = state.get("slow")


def make_run(fixed):
    gen = torch.Generator().manual_seed(3333)
    x = torch.randn(6, 16, 2, generator=gen)
    model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
    lookahead = Lookahead(torch.optim.RAdam(model.parameters(), lr=0.05))

    def step(i):
        loss = (model(x[i]).squeeze(1) - x[i].prod(1)).square().mean()
        model.zero_grad()
        loss.backward()
        lookahead.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": lookahead.state_dict(with_slow=fixed)}, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        lookahead.load_state_dict(state["optimizer"])

    return TrainingRun({"model": model, "radam": lookahead.optimizer}, step, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
