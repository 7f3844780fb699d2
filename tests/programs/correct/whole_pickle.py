"""torch.save(model): load replaces the model and rebuilds the optimizer, hence components as a function."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.a = nn.Linear(3, width)
        self.b = nn.Linear(width, 1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.b(self.a(x).relu())


class Trainer:
    def __init__(self):
        self.model = Net()
        self.optimizer = self.make_optimizer()

    def make_optimizer(self):
        return torch.optim.Adamax(self.model.parameters(), lr=1e-2)

    def train_step(self, i):
        x = torch.arange(21.0).remainder(i + 4).view(7, 3)
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.max(1, keepdim=True).values).abs().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model, "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ckpt = torch.load(path, weights_only=False)
        self.model = ckpt["model"]
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(ckpt["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components=lambda: {"model": t.model, "optimizer": t.optimizer},
                       step=t.train_step, save=t.save, load=t.load)
