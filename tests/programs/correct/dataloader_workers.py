"""num_workers=2: workers draw their augmentation from (epoch, index), the order from a per-epoch generator."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from pytest_ckpt import TrainingRun


class Noisy(Dataset):
    epoch = 0

    def __len__(self):
        return 8

    def __getitem__(self, n):
        g = torch.Generator().manual_seed(1000 * self.epoch + n)
        x = torch.full((3,), n / 8.0)
        return x + 0.05 * torch.randn(3, generator=g), x.sum()


class Trainer:
    def __init__(self):
        self.data = Noisy()
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-1)
        self.epoch, self.position, self.batches = 0, 0, None

    def start(self, skip=0):
        self.data.epoch = self.epoch
        g = torch.Generator().manual_seed(self.epoch)
        loader = DataLoader(self.data, batch_size=2, shuffle=True, num_workers=2, generator=g)
        self.batches = iter(loader)
        for _ in range(skip):
            next(self.batches)

    def step(self, i):
        if self.batches is None:  # workers start with the first batch, not with the program
            self.start(self.position)
        batch = next(self.batches, None)
        if batch is None:
            self.epoch, self.position = self.epoch + 1, 0
            self.start()
            batch = next(self.batches)
        self.position += 1
        x, y = batch
        loss = (self.model(x).squeeze(1) - y).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "epoch": self.epoch, "position": self.position}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        self.epoch, self.position, self.batches = s["epoch"], s["position"], None


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
