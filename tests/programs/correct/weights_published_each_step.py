"""Every step publishes model.state_dict() for an evaluator: it follows the model, and is never older than a step."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.published = None

    def step(self, i):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(i))
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.published = self.model.state_dict()
        return loss.item()

    def save(self, path):
        torch.save({"optimizer": self.optimizer.state_dict(), "model": self.model.state_dict(),
                    "published": self.published}, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.published = state["published"]


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
