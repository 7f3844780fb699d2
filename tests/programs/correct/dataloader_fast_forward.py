"""A shuffling DataLoader with its own generator: saved is the generator as the epoch began, plus a position."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        t = torch.linspace(0, 1, 20)
        data = TensorDataset(torch.stack([t, t ** 2, t.sqrt()], 1), (6 * t).sin()[:, None])
        self.generator = torch.Generator().manual_seed(5)
        self.loader = DataLoader(data, batch_size=5, shuffle=True, generator=self.generator)
        self.model = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-2)
        self.begin_epoch()

    def begin_epoch(self):
        self.epoch_state = self.generator.get_state()
        self.iterator, self.position = iter(self.loader), 0

    def next_batch(self):
        if self.position == len(self.loader):
            self.begin_epoch()
        self.position += 1
        return next(self.iterator)

    def step(self, i):
        x, y = self.next_batch()
        self.optimizer.zero_grad()
        loss = (self.model(x) - y).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "generator": self.epoch_state, "position": self.position}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.generator.set_state(s["generator"])
        self.begin_epoch()
        for _ in range(s["position"]):
            self.next_batch()


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
