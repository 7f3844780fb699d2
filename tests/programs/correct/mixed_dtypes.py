"""bfloat16 working weights with float32 masters; the working copy is derived and not in the checkpoint."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class MixedPrecision:
    def __init__(self):
        self.master = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.working = copy.deepcopy(self.master).bfloat16()
        self.optimizer = torch.optim.AdamW(self.master.parameters(), lr=1e-2)

    @torch.no_grad()
    def sync(self):
        for w, m in zip(self.working.parameters(), self.master.parameters()):
            w.copy_(m)

    def step(self, i):
        self.sync()
        x = torch.linspace(-1, 1, 32).view(8, 4).mul(i + 1).bfloat16()
        loss = nn.functional.cross_entropy(self.working(x).float(), torch.arange(8) % 2)
        self.working.zero_grad()
        loss.backward()
        for w, m in zip(self.working.parameters(), self.master.parameters()):
            m.grad = w.grad.float()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"master": self.master.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.master.load_state_dict(s["master"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = MixedPrecision()
    # working is overwritten at the beginning of each step; it is no component
    return TrainingRun(components={"master": t.master, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
