"""A physics fit in double precision: the program sets the default dtype when it is built."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Oscillator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
        self.omega = nn.Parameter(torch.tensor(1.5))

    def residual(self, t):
        t = t.requires_grad_()
        u = self.net(t)
        du, = torch.autograd.grad(u.sum(), t, create_graph=True)
        ddu, = torch.autograd.grad(du.sum(), t, create_graph=True)
        return ddu + self.omega ** 2 * u


class Fit:
    def __init__(self):
        torch.set_default_dtype(torch.float64)
        self.model = Oscillator()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)

    def step(self, i):
        t = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None] + 0.1 * i
        self.optimizer.zero_grad()
        loss = self.model.residual(t).pow(2).mean() + (self.model.net(t[:1] * 0) - 1).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    f = Fit()
    return TrainingRun(components={"model": f.model, "optimizer": f.optimizer}, step=f.step, save=f.save, load=f.load)
