"""A checkpoint is a directory: weights, optimizer, and a JSON for people."""
import json
import time
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Bilinear(3, 3, 2)
        self.optimizer = torch.optim.Adadelta(self.model.parameters(), lr=1.0)
        self.seen = 0

    def step(self, i):
        x = torch.linspace(-1, 1, 15).view(5, 3)
        out = self.model(x, x.roll(i, 0))
        loss = out.logsumexp(1).mean() - out[:, 0].mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.seen += len(x)
        return {"loss": loss.item(), "seen": self.seen}

    def save(self, path):
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), path / "weights.pt")
        torch.save(self.optimizer.state_dict(), path / "optimizer.pt")
        info = {"seen": self.seen, "saved_at": time.time(), "torch": torch.__version__}
        (path / "trainer_state.json").write_text(json.dumps(info, indent=2))

    def load(self, path):
        path = Path(path)
        self.model.load_state_dict(torch.load(path / "weights.pt"))
        self.optimizer.load_state_dict(torch.load(path / "optimizer.pt"))
        self.seen = json.loads((path / "trainer_state.json").read_text())["seen"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
