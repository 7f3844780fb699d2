"""assign=True after the optimizer was built: the optimizer updates parameters nobody uses (pytorch/pytorch#129362 recommends it; kitzeslab/opensoundscape#351)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load_state_dict(assign=True) replaces the parameters, the optimizer still holds the old ones, and the resumed model never learns again."
NAMES = ["optimizer", "assign", "param"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(6, 6, bias=False) for _ in range(3))
        self.o = nn.Linear(6, 2)

    def forward(self, x):
        a = (self.q(x) @ self.k(x).transpose(-1, -2) / 6**0.5).softmax(-1)
        return self.o(a @ self.v(x)).mean(1)


class Trainer:
    def __init__(self, assign):
        self.assign = assign
        self.model = Net()
        self.optimizer = torch.optim.Adamax(self.model.parameters(), lr=2e-2)
        g = torch.Generator().manual_seed(4)
        self.x, self.y = torch.randn(6, 5, 4, 6, generator=g), torch.randint(0, 2, (6, 5), generator=g)

    def fit_batch(self, i):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.x[i]), self.y[i])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path, mmap=False)
        self.model.load_state_dict(ck["model"], assign=self.assign)
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    t = Trainer(assign=not fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.fit_batch, save=t.save, load=t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
