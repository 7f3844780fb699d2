"""A sampler component between an epoch and a position, with bucketing by length; a DataLoader is built around it."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler

from pytest_ckpt import TrainingRun

LENGTHS = [3, 7, 4, 4, 9, 5, 3, 8, 6, 6]


class BucketSampler(Sampler):
    def __init__(self, lengths, size, seed):
        self.lengths, self.size, self.seed = lengths, size, seed
        self.epoch, self.start = 0, 0

    def batches(self):
        g = torch.Generator().manual_seed(self.seed + self.epoch)
        rows = sorted(range(len(self.lengths)), key=lambda r: self.lengths[r])
        chunks = [rows[n:n + self.size] for n in range(0, len(rows), self.size)]
        return [chunks[j] for j in torch.randperm(len(chunks), generator=g).tolist()]

    def __iter__(self):
        while True:
            all_batches = self.batches()
            while self.start < len(all_batches):
                self.start += 1
                yield all_batches[self.start - 1]
            self.epoch, self.start = self.epoch + 1, 0

    def state_dict(self):
        return {"epoch": self.epoch, "start": self.start}

    def load_state_dict(self, s):
        self.epoch, self.start = s["epoch"], s["start"]


class Trainer:
    def __init__(self):
        self.data = [torch.arange(n) % 6 for n in LENGTHS]
        self.sampler = BucketSampler(LENGTHS, 2, 17)
        self.loader = DataLoader(self.data, batch_sampler=self.sampler, generator=torch.Generator(),
                                 collate_fn=lambda b: nn.utils.rnn.pad_sequence(b, batch_first=True))
        self.iterator = None
        self.model = nn.Sequential(nn.Embedding(6, 8), nn.Linear(8, 6))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=5e-2)

    def step(self, i):
        if self.iterator is None:
            self.iterator = iter(self.loader)
        t = next(self.iterator)
        loss = nn.functional.cross_entropy(self.model(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item(), t.shape[1]

    PARTS = ("model", "optimizer", "sampler")

    def save(self, path):
        torch.save({p: getattr(self, p).state_dict() for p in self.PARTS}, path)

    def load(self, path):
        for p, s in torch.load(path).items():
            getattr(self, p).load_state_dict(s)
        self.iterator = None


def make_run():
    t = Trainer()
    return TrainingRun(components={p: getattr(t, p) for p in t.PARTS}, step=t.step, save=t.save, load=t.load)
