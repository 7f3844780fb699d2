"""A recurrent net that carries its hidden state from batch to batch; it is detached and saved."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.rnn = nn.LSTM(2, 5, batch_first=True)
        self.head = nn.Linear(5, 2)
        self.model = nn.ModuleDict({"rnn": self.rnn, "head": self.head})
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-2)
        self.hidden = None

    def step(self, i):
        t = torch.arange(8 * i, 8 * i + 9) / 4
        series = torch.stack([t.sin(), t.cos()], 1)[None]
        out, hidden = self.rnn(series[:, :-1], self.hidden)
        loss = (self.head(out) - series[:, 1:]).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.hidden = tuple(h.detach() for h in hidden)
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "hidden": self.hidden}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.hidden = s["hidden"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
