"""Target network not saved, copied from the online one on load: hill-a/stable-baselines#93, RLinf/RLinf#706."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The DQN checkpoint has no target network; load() sets it to the online network, though it lags behind it."
NAMES = ["target"]


class DQN:
    def __init__(self, save_target):
        self.save_target = save_target
        self.q = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        self.target = copy.deepcopy(self.q).requires_grad_(False)
        self.optim = torch.optim.Adam(self.q.parameters(), lr=1e-2)
        self.updates = 0

    def transitions(self, i):
        g = torch.Generator().manual_seed(3000 + i)
        s = torch.rand(16, 4, generator=g)
        a = torch.randint(0, 2, (16, 1), generator=g)
        return s, a, s.sum(1, keepdim=True) * a, torch.rand(16, 4, generator=g)

    def update(self, i):
        s, a, r, s2 = self.transitions(i)
        with torch.no_grad():
            y = r + 0.9 * self.target(s2).amax(1, keepdim=True)
        loss = nn.functional.smooth_l1_loss(self.q(s).gather(1, a), y)
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        self.updates += 1
        with torch.no_grad():  # Polyak
            for t, p in zip(self.target.parameters(), self.q.parameters()):
                t.lerp_(p, 0.1)
        return {"td_loss": loss.item(), "updates": self.updates}

    def save(self, path):
        blob = {"q": self.q.state_dict(), "optim": self.optim.state_dict(), "updates": self.updates}
        if self.save_target:
            blob["target"] = self.target.state_dict()
        torch.save(blob, path)

    def load(self, path):
        blob = torch.load(path)
        self.q.load_state_dict(blob["q"])
        self.target.load_state_dict(blob.get("target", blob["q"]))
        self.optim.load_state_dict(blob["optim"])
        self.updates = blob["updates"]


def make_run(fixed):
    agent = DQN(save_target=fixed)
    return TrainingRun(components={"q": agent.q, "target": agent.target, "optim": agent.optim}, step=agent.update, save=agent.save, load=agent.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
