"""fp32 moments over bf16 parameters come back as bf16.

https://github.com/pytorch/pytorch/issues/43706, https://github.com/facebookresearch/fairscale/issues/50
"""

from itertools import chain

import torch
from torch import nn
from torch.optim import Optimizer

from pytest_ckpt import TrainingRun

DOC = "Optimizer.load_state_dict casts the fp32 moments to the parameters' bf16."
NAMES = ["exp_avg", "dtype", "bfloat16", "float32"]


class MemoryEfficientAdam(Optimizer):
    """bf16 parameters, fp32 statistics."""

    def __init__(self, params, lr=1e-2, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p, dtype=torch.float32)
                    state["exp_avg_sq"] = torch.zeros_like(p, dtype=torch.float32)
                grad = p.grad.float()
                beta1, beta2 = group["betas"]
                state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
                state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                update = state["exp_avg"].float() / (state["exp_avg_sq"].float().sqrt() + 1e-6)
                p.copy_(p.float() - group["lr"] * update)


class PreciseAdam(MemoryEfficientAdam):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        ids = chain.from_iterable(g["params"] for g in state_dict["param_groups"])
        params = chain.from_iterable(g["params"] for g in self.param_groups)
        for key, p in zip(ids, params):
            for name, value in state_dict["state"].get(key, {}).items():
                self.state[p][name] = value.clone()


def make_run(fixed):
    g = torch.Generator().manual_seed(5)
    x = torch.randn(6, 8, 6, generator=g).bfloat16()
    model = nn.Sequential(nn.Linear(6, 10), nn.SiLU(), nn.Linear(10, 1)).bfloat16()
    optimizer = (PreciseAdam if fixed else MemoryEfficientAdam)(model.parameters())

    def step(i):
        optimizer.zero_grad()
        loss = (model(x[i]).float() - x[i].float().prod(-1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
