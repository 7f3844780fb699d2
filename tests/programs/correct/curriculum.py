"""A curriculum whose level rises when the loss falls; the level and its smoothed loss are saved in a JSON."""
import json
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Curriculum:
    LENGTHS = [3, 5, 8]

    def __init__(self):
        self.level, self.smooth = 0, None

    def observe(self, loss):
        self.smooth = loss if self.smooth is None else 0.5 * self.smooth + 0.5 * loss
        if self.smooth < 2.5 and self.level < len(self.LENGTHS) - 1:
            self.level, self.smooth = self.level + 1, None

    @property
    def length(self):
        return self.LENGTHS[self.level]


class Trainer:
    def __init__(self):
        self.embed, self.rnn, self.head = nn.Embedding(9, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 9)
        self.model = nn.ModuleList([self.embed, self.rnn, self.head])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        self.curriculum = Curriculum()

    def step(self, i):
        n = self.curriculum.length
        t = (torch.arange(3)[:, None] * 2 + torch.arange(n + 1) + i) % 9
        out = self.head(self.rnn(self.embed(t[:, :-1]))[0])
        loss = nn.functional.cross_entropy(out.flatten(0, 1), t[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.curriculum.observe(loss.item())
        return f"loss={loss.item():.9f} length={n}"

    def save(self, path):
        os.makedirs(path, exist_ok=True)
        torch.save([self.model.state_dict(), self.optimizer.state_dict()], os.path.join(path, "torch.pt"))
        with open(os.path.join(path, "curriculum.json"), "w") as f:
            json.dump(vars(self.curriculum), f)

    def load(self, path):
        m, o = torch.load(os.path.join(path, "torch.pt"))
        self.model.load_state_dict(m)
        self.optimizer.load_state_dict(o)
        with open(os.path.join(path, "curriculum.json")) as f:
            vars(self.curriculum).update(json.load(f))


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
