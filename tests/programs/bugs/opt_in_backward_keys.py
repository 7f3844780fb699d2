"""Optimizer in backward: one optimizer per parameter, checkpointed under id(parameter).

After torchtune's OptimizerInBackwardWrapper and PyTorch's tutorial "Save memory by fusing the optimizer step into the
backward pass", whose optimizer_dict is keyed by the parameter object.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "States are keyed by id(param), which no other run has, so none is ever found on load."
NAMES = ["optim", "exp_avg"]


class PerParameter:
    """All the small optimizers behind one state_dict."""

    def __init__(self, model, by_name):
        self.by_name = by_name
        self.named = dict(model.named_parameters())
        self.optimizers = {n: torch.optim.RAdam([p], lr=0.01) for n, p in self.named.items()}
        for n, p in self.named.items():
            p.register_post_accumulate_grad_hook(self.hook(self.optimizers[n]))

    def hook(self, optimizer):
        def update(_):
            optimizer.step()
            optimizer.zero_grad()

        return update

    def key(self, name):
        return name if self.by_name else str(id(self.named[name]))

    def state_dict(self):
        return {self.key(n): o.state_dict() for n, o in self.optimizers.items()}

    def load_state_dict(self, state):
        for name, optimizer in self.optimizers.items():
            if self.key(name) in state:
                optimizer.load_state_dict(state[self.key(name)])


def make_run(fixed):
    generator = torch.Generator().manual_seed(4)
    batch = torch.randn(6, 6, 4, generator=generator)
    model = nn.Sequential(nn.Linear(4, 6), nn.Mish(), nn.Linear(6, 4))
    optim = PerParameter(model, by_name=fixed)

    def step(i):
        loss = (model(batch[i]) + batch[i]).square().mean()
        loss.backward()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optim": optim.state_dict()}, path)

    def load(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optim.load_state_dict(state["optim"])

    return TrainingRun(
        components=lambda: {"model": model, **{f"optim.{n}": o for n, o in optim.optimizers.items()}},
        step=step,
        save=save,
        load=load,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
