"""Asks torch for deterministic algorithms and a fixed thread count while it runs; graph convolution by index_add."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

EDGES = torch.tensor([[0, 1, 2, 3, 4, 0, 2, 2], [1, 2, 3, 4, 0, 2, 4, 2]])


class GraphConv(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.lin = nn.Linear(a, b)

    def forward(self, x):
        src, dst = EDGES
        h = self.lin(x)
        return h + torch.zeros_like(h).index_add(0, dst, h[src])


class Trainer:
    def __init__(self):
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)
        self.model = nn.Sequential(GraphConv(5, 8), nn.ReLU(), nn.Dropout(0.1), GraphConv(8, 2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2, weight_decay=5e-4)

    def step(self, i):
        self.model.train()
        loss = nn.functional.cross_entropy(self.model(torch.eye(5)), torch.tensor([0, 0, 1, 1, 0]))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": torch.get_rng_state()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
