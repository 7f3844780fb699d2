"""Nothing moves before step 3: a warm-up with lr 0 and an optimizer that is only built when it is needed."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

START = 3


class Trainer:
    def __init__(self):
        self.model = nn.Linear(3, 2)
        self.optimizer = None

    def step(self, i):
        x = torch.eye(3) + 0.05 * i
        loss = nn.functional.cross_entropy(self.model(x), torch.tensor([0, 1, 1]))
        if i >= START:
            if self.optimizer is None:
                self.optimizer = self.build()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.item()

    def build(self):
        return torch.optim.Adam(self.model.parameters(), lr=5e-2)

    def save(self, path):
        torch.save({"model": self.model.state_dict(),
                    "optimizer": self.optimizer.state_dict() if self.optimizer else None}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer = None
        if s["optimizer"] is not None:
            self.optimizer = self.build()
            self.optimizer.load_state_dict(s["optimizer"])

    def components(self):
        found = {"model": self.model}
        if self.optimizer is not None:
            found["optimizer"] = self.optimizer
        return found


def make_run():
    t = Trainer()
    return TrainingRun(components=t.components, step=t.step, save=t.save, load=t.load)
