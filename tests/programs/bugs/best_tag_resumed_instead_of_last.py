"""Resume picks the 'best' file instead of the last one (cf. zylo117/Yet-Another-EfficientDet-Pytorch#686 and Lightning's ckpt_path='best' on resume)."""
import copy
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A checkpoint folder holds last.pt and best.pt; resume() prefers best.pt when it exists, which is an older state of the run."
NAMES = ["best", "model", "weight", "optim", "last"]


class Trainer:
    def __init__(self, prefer):
        self.prefer = prefer
        self.net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=2e-2)
        self.best = None

    def state(self):
        return copy.deepcopy({"net": self.net.state_dict(), "opt": self.opt.state_dict(), "best": self.best and self.best["loss"]})

    def step(self, i):
        x = torch.randn(12, 5, generator=torch.Generator().manual_seed(686 - i)) * [1, 3, 0.5, 2, 4, 1][i % 6]
        loss = (self.net(x) - x.sum(1, keepdim=True).sin()).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        if self.best is None or loss.item() < self.best["loss"]:
            self.best = {**self.state(), "loss": loss.item()}
        return loss.item()

    def save(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.state(), folder / "last.pt")
        if self.best is not None:
            torch.save(self.best, folder / "best.pt")

    def resume(self, folder):
        candidates = [Path(folder) / f"{tag}.pt" for tag in self.prefer]
        chosen = next(c for c in candidates if c.exists())
        state = torch.load(chosen)
        self.net.load_state_dict(state["net"])
        self.opt.load_state_dict(state["opt"])
        best = Path(folder) / "best.pt"
        self.best = torch.load(best) if best.exists() else None
        print("resumed from", chosen.name)


def make_run(fixed):
    t = Trainer(prefer=("last",) if fixed else ("best", "last"))
    return TrainingRun(components={"net": t.net, "opt": t.opt}, step=t.step, save=t.save, load=t.resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
