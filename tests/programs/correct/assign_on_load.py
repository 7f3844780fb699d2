"""load_state_dict(assign=True) gives new parameters, so the optimizer is built again after it."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.configure()

    def configure(self):
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.05, total_steps=20)

    def step(self, i):
        x = torch.arange(24.0).view(6, 4).mul(0.5 + i).sin()
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item(), self.scheduler.get_last_lr()

    def save(self, path):
        torch.save({k: getattr(self, k).state_dict() for k in ("model", "optimizer", "scheduler")}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"], assign=True)
        self.configure()
        self.optimizer.load_state_dict(s["optimizer"])
        self.scheduler.load_state_dict(s["scheduler"])


def make_run():
    t = Trainer()
    return TrainingRun(
        components=lambda: {"model": t.model, "optimizer": t.optimizer, "scheduler": t.scheduler},
        step=t.step, save=t.save, load=t.load)
