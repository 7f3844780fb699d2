"""Sets decide the order of log lines and of keys in the file (other in each process), but never a number."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    TAGS = {"red", "green", "blue", "yellow"}

    def __init__(self):
        self.heads = nn.ModuleDict({t: nn.Linear(3, 1) for t in sorted(self.TAGS)})
        self.optimizers = {t: torch.optim.Adam(self.heads[t].parameters(), lr=1e-2) for t in self.TAGS}
        self.lines = []

    def step(self, i):
        losses = {}
        x = torch.linspace(-1, 1, 12).view(4, 3) * (i + 1)
        for tag in self.TAGS:  # independent of each other
            self.optimizers[tag].zero_grad()
            loss = (self.heads[tag](x) - len(tag)).pow(2).mean()
            loss.backward()
            self.optimizers[tag].step()
            losses[tag] = loss.item()
        self.lines += [f"{t}: {v:.4f}" for t, v in losses.items()]
        return dict(sorted(losses.items()))

    def save(self, path):
        torch.save({"heads": self.heads.state_dict(), "tags": set(self.TAGS),
                    "optimizers": {t: self.optimizers[t].state_dict() for t in self.TAGS}}, path)

    def load(self, path):
        s = torch.load(path)
        assert s["tags"] == self.TAGS
        self.heads.load_state_dict(s["heads"])
        for t, state in s["optimizers"].items():
            self.optimizers[t].load_state_dict(state)


def make_run():
    t = Trainer()
    return TrainingRun(components={"heads": t.heads, **{f"optimizer_{k}": t.optimizers[k] for k in sorted(t.TAGS)}},
                       step=t.step, save=t.save, load=t.load)
