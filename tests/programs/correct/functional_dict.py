"""No nn.Module at all: a dict of leaf tensors, updated in place, and hand-written Adam."""
import math

import torch

from pytest_ckpt import TrainingRun


def init():
    return {"w1": torch.randn(3, 8) / 3, "b1": torch.zeros(8), "w2": torch.randn(8, 1) / 8}


class State:
    def __init__(self):
        self.params = {k: v.requires_grad_() for k, v in init().items()}
        self.m = {k: torch.zeros_like(v) for k, v in self.params.items()}
        self.v = {k: torch.zeros_like(v) for k, v in self.params.items()}
        self.t = 0

    def state_dict(self):
        return {"params": {k: v.detach() for k, v in self.params.items()}, "m": self.m, "v": self.v, "t": self.t}

    def load_state_dict(self, s):
        with torch.no_grad():
            for mine, theirs in ((self.params, s["params"]), (self.m, s["m"]), (self.v, s["v"])):
                for k in mine:
                    mine[k].copy_(theirs[k])
        self.t = s["t"]


def make_run():
    s = State()

    def step(i):
        p = s.params
        x = torch.linspace(-2, 2, 21).view(7, 3) + 0.1 * i
        loss = ((torch.tanh(x @ p["w1"] + p["b1"]) @ p["w2"]).squeeze(1) - x.sum(1).sin()).pow(2).mean()
        grads = torch.autograd.grad(loss, list(p.values()))
        s.t += 1
        with torch.no_grad():
            for (k, w), g in zip(p.items(), grads):
                s.m[k].mul_(0.9).add_(g, alpha=0.1)
                s.v[k].mul_(0.99).addcmul_(g, g, value=0.01)
                rate = 0.02 * math.sqrt(1 - 0.99 ** s.t) / (1 - 0.9 ** s.t)
                w.sub_(rate * s.m[k] / (s.v[k].sqrt() + 1e-8))
        return float(loss)

    return TrainingRun(components={"state": s}, step=step)
