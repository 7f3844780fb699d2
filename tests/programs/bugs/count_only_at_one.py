"""`if step > 1` takes the very first checkpoint for a fresh start; all the others resume well.

After https://github.com/cwx-worst-one/EAT/issues/13 (a comparison with num_updates on the first update after a restart)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A checkpoint of step 1 is treated as 'nothing trained yet': its optimizer state and step are not restored."
NAMES = ["optimizer", "exp_avg", "num_updates"]


class Pretrainer:
    first = 2

    def __init__(self):
        torch.manual_seed(9)
        self.audio = torch.randn(6, 5, 8)
        self.encoder = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8))
        self.optimizer = torch.optim.AdamW(self.encoder.parameters(), lr=0.01)
        self.num_updates = 0

    def step(self, i):
        x = self.audio[i]
        scale = min(1.0, (self.num_updates + 1) / 4)
        loss = scale * (self.encoder(x) - x.roll(1, 0)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.num_updates += 1
        return loss.item()

    def save(self, path):
        payload = {
            "encoder": self.encoder.state_dict(),
            "last_optimizer_state": self.optimizer.state_dict(),
            "num_updates": self.num_updates,
        }
        torch.save(payload, path)

    def load(self, path):
        payload = torch.load(path)
        self.encoder.load_state_dict(payload["encoder"])
        if payload["num_updates"] >= self.first:
            self.optimizer.load_state_dict(payload["last_optimizer_state"])
            self.num_updates = payload["num_updates"]


class MendedPretrainer(Pretrainer):
    first = 1


def make_run(fixed):
    p = MendedPretrainer() if fixed else Pretrainer()
    return TrainingRun({"encoder": p.encoder, "optimizer": p.optimizer}, p.step, p.save, p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
