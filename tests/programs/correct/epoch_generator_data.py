"""Batches follow from (seed, epoch, position) alone, so nothing about the data is saved."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

SEED, N, BATCH = 99, 12, 4
PER_EPOCH = N // BATCH


def order(epoch):
    return torch.randperm(N, generator=torch.Generator().manual_seed(SEED + epoch))


class Trainer:
    def __init__(self):
        g = torch.Generator().manual_seed(SEED)
        self.x = torch.randn(N, 5, generator=g)
        self.y = torch.randint(0, 3, (N,), generator=g)
        self.model = nn.Linear(5, 3)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-4)
        self._epoch, self._order = None, None

    def batch(self, i):
        epoch, pos = divmod(i, PER_EPOCH)
        if epoch != self._epoch:  # cached for the epoch, rebuilt when resuming in the middle of one
            self._epoch, self._order = epoch, order(epoch)
        rows = self._order[pos * BATCH:(pos + 1) * BATCH]
        return self.x[rows], self.y[rows]

    def step(self, i):
        x, y = self.batch(i)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save([self.model.state_dict(), self.optimizer.state_dict()], path)

    def load(self, path):
        for part, state in zip((self.model, self.optimizer), torch.load(path)):
            part.load_state_dict(state)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
