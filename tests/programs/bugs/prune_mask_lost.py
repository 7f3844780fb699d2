"""Pruning in mid-training renames weight to weight_orig + weight_mask; a fresh model is not pruned (cf. IntelLabs/distiller and torch.nn.utils.prune)."""
import torch
from torch import nn
from torch.nn.utils import prune

from pytest_ckpt import TrainingRun

DOC = "After step 2 the first layer is pruned; a fresh, unpruned model loaded with strict=False gets neither weight_orig nor the mask."
NAMES = ["mask", "weight_orig", "0.weight", "prune"]


class Sparse:
    def __init__(self, prepare):
        self.prepare = prepare
        self.net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=1e-2)

    def step(self, i):
        g = torch.Generator().manual_seed(300 + i)
        x, y = torch.randn(9, 6, generator=g), torch.randint(0, 2, (9,), generator=g)
        if i == 2:
            prune.l1_unstructured(self.net[0], "weight", amount=0.5)
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        torch.save({"net": self.net.state_dict(), "opt": self.opt.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        if self.prepare and "0.weight_mask" in ck["net"]:
            prune.identity(self.net[0], "weight")
        self.net.load_state_dict(ck["net"], strict=self.prepare)
        self.opt.load_state_dict(ck["opt"])


def make_run(fixed):
    s = Sparse(prepare=fixed)
    return TrainingRun(components={"net": s.net, "opt": s.opt}, step=s.step, save=s.save, load=s.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
