"""The path is a run directory: numbered checkpoints, the last three kept, a 'latest' symlink."""
import os
import shutil
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

KEEP = 3


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(5, 5), nn.PReLU(), nn.Linear(5, 5))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.done = 0

    def step(self, i):
        x = torch.eye(5) * (i + 1) - 0.2
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.T.roll(1, 0)).abs().mean()
        loss.backward()
        self.optimizer.step()
        self.done = i + 1
        return loss.item()

    def save(self, path):
        root = Path(path)
        here = root / f"step-{self.done:06d}"
        here.mkdir(parents=True, exist_ok=True)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done},
                   here / "state.pt")
        link = root / "latest.tmp"
        link.unlink(missing_ok=True)
        link.symlink_to(here.name)
        os.replace(link, root / "latest")
        for old in sorted(root.glob("step-*"))[:-KEEP]:
            shutil.rmtree(old)

    def load(self, path):
        s = torch.load(Path(path) / "latest" / "state.pt")
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.done = s["done"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
