"""An ensemble trained with torch.func: stacked parameters, vmap over members, plain gradient descent."""
import copy

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from pytest_ckpt import TrainingRun


class Ensemble:
    def __init__(self, n=3):
        members = [nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)) for _ in range(n)]
        self.base = copy.deepcopy(members[0]).to("meta")
        params, _ = stack_module_state(members)
        self.params = {k: v.detach() for k, v in params.items()}
        self.velocity = {k: torch.zeros_like(v) for k, v in self.params.items()}

    def state_dict(self):
        return {"params": self.params, "velocity": self.velocity}

    def load_state_dict(self, state):
        self.params, self.velocity = dict(state["params"]), dict(state["velocity"])

    def train(self, i):
        x = torch.linspace(-1, 1, 20).view(10, 2).roll(i, 0)
        y = x.prod(1, keepdim=True)

        def loss(params):
            return (functional_call(self.base, params, (x,)) - y).pow(2).mean()

        grads, values = vmap(grad_and_value(loss))(self.params)
        self.velocity = {k: 0.9 * v + grads[k] for k, v in self.velocity.items()}
        self.params = {k: p - 0.05 * self.velocity[k] for k, p in self.params.items()}
        return values


def make_run():
    e = Ensemble()
    return TrainingRun(components={"ensemble": e}, step=e.train,
                       save=lambda path: torch.save(e.state_dict(), path),
                       load=lambda path: e.load_state_dict(torch.load(path)))
