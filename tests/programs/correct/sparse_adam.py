"""Sparse embedding gradients with SparseAdam, dense rest with Adam."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Skipgram(nn.Module):
    def __init__(self, vocab=15, d=6):
        super().__init__()
        self.inp = nn.Embedding(vocab, d, sparse=True)
        self.out = nn.EmbeddingBag(vocab, d, mode="sum", sparse=True)
        self.scale = nn.Linear(d, d, bias=False)

    def forward(self, centre, context):
        return (self.scale(self.inp(centre)) * self.out(context)).sum(-1)


class Trainer:
    def __init__(self):
        self.model = Skipgram()
        self.sparse = torch.optim.SparseAdam([*self.model.inp.parameters(), *self.model.out.parameters()], lr=5e-2)
        self.dense = torch.optim.Adam(self.model.scale.parameters(), lr=1e-2)
        self.rng = torch.Generator().manual_seed(2)

    def step(self, i):
        centre = torch.randint(15, (8,), generator=self.rng)
        context = torch.randint(15, (8, 2), generator=self.rng)
        label = ((centre[:, None] - context).abs().amin(1) < 4).float()
        loss = nn.functional.binary_cross_entropy_with_logits(self.model(centre, context), label)
        for o in (self.sparse, self.dense):
            o.zero_grad()
        loss.backward()
        for o in (self.sparse, self.dense):
            o.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "sparse": self.sparse.state_dict(),
                    "dense": self.dense.state_dict(), "rng": self.rng.get_state()}, path)

    def load(self, path):
        s = torch.load(path)
        for k in ("model", "sparse", "dense"):
            getattr(self, k).load_state_dict(s[k])
        self.rng.set_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "sparse": t.sparse, "dense": t.dense}, step=t.step,
                       save=t.save, load=t.load)
