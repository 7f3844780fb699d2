"""Plain SGD with a constant rate has no state, so the checkpoint is the model's state dict and nothing else."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05)

    def step(self, i):
        x = torch.linspace(-2, 2, 36).view(6, 6).roll(i, 1)
        loss = (self.model(x).squeeze(1) - x.diagonal()).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def make_run():
    t = Trainer()

    def save(path):
        torch.save(t.model.state_dict(), path)

    def load(path):
        t.model.load_state_dict(torch.load(path, weights_only=True))

    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=save, load=load)
