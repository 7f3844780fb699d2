"""Shampoo computes its inverse root every few steps and keeps it on the optimizer object, not in its state.

After https://github.com/kozistr/pytorch_optimizer/pull/310 (state kept outside Optimizer.state is not saved).
"""

import torch
from torch import nn
from torch.optim import Optimizer

from pytest_ckpt import TrainingRun

DOC = "The cached inverse root is a plain attribute, missing in state_dict; until the next refresh the identity is used."
NAMES = ["_inverses", "inverse", "precondition", "shampoo"]


class MiniShampoo(Optimizer):
    def __init__(self, params, lr=0.05, every=3, cache_in_state=False):
        super().__init__(params, {"lr": lr, "every": every})
        self.cache_in_state = cache_in_state
        self._inverses = {}

    def cache(self, p):
        return self.state[p] if self.cache_in_state else self._inverses.setdefault(p, {})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad.view(p.shape[0], -1)
                state = self.state[p]
                if "statistics" not in state:
                    state["step"] = 0
                    state["statistics"] = 1e-3 * torch.eye(p.shape[0])
                state["statistics"] += grad @ grad.T
                if state["step"] % group["every"] == 0:
                    values, vectors = torch.linalg.eigh(state["statistics"])
                    self.cache(p)["inverse"] = vectors @ torch.diag(values.clamp(min=1e-6) ** -0.5) @ vectors.T
                state["step"] += 1
                inverse = self.cache(p).get("inverse")
                update = grad if inverse is None else inverse @ grad
                p.sub_(update.view_as(p), alpha=group["lr"])


def make_run(fixed):
    gen = torch.Generator().manual_seed(50)
    x = torch.randn(6, 10, 4, generator=gen)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    optimizer = MiniShampoo(model.parameters(), cache_in_state=fixed)

    def step(i):
        optimizer.zero_grad()
        loss = (model(x[i]) - x[i, :, :2].abs()).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save([model.state_dict(), optimizer.state_dict()], path)

    def load(path):
        for part, state in zip([model, optimizer], torch.load(path)):
            part.load_state_dict(state)

    return TrainingRun(components={"model": model, "shampoo": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
