"""load() strips a prefix by popping from the loaded mapping, then initialises a second model from what is left (cf. pytorch/rl#2264: load_state_dict that pops)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The helper that strips 'actor.' pops the keys from the loaded dict; the old-policy copy, loaded next from the same dict, finds nothing (strict=False)."
NAMES = ["old_actor", "old_policy", "old"]


def load_prefixed(module, state, prefix, destructive):
    picked = {}
    for key in [k for k in state if k.startswith(prefix)]:
        picked[key[len(prefix) :]] = state.pop(key) if destructive else state[key]
    module.load_state_dict(picked, strict=False)


class PPO:
    """old_actor is refreshed from actor at every second step."""

    def __init__(self, destructive):
        self.destructive = destructive
        self.actor = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))
        self.old_actor = copy.deepcopy(self.actor)
        self.optimizer = torch.optim.Adam(self.actor.parameters(), lr=1e-2)

    def step(self, i):
        if i % 3 == 0:
            self.old_actor.load_state_dict(self.actor.state_dict())
        g = torch.Generator().manual_seed(i)
        obs, action, adv = torch.randn(20, 4, generator=g), torch.randint(0, 3, (20, 1), generator=g), torch.randn(20, 1, generator=g)
        with torch.no_grad():
            old = self.old_actor(obs).log_softmax(1).gather(1, action)
        ratio = (self.actor(obs).log_softmax(1).gather(1, action) - old).exp()
        loss = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        policy = {f"actor.{k}": v for k, v in self.actor.state_dict().items()}
        policy |= {f"actor.old.{k}": v for k, v in self.old_actor.state_dict().items()}
        torch.save({"policy": policy, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        load_prefixed(self.actor, ck["policy"], "actor.", self.destructive)
        load_prefixed(self.old_actor, ck["policy"], "actor.old.", self.destructive)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    p = PPO(destructive=not fixed)
    return TrainingRun(components={"actor": p.actor, "old_actor": p.old_actor, "optimizer": p.optimizer}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
