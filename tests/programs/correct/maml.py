"""Meta-learning: adapted weights live only inside a step; tasks come from the step's own seed."""
import torch
from torch import nn
from torch.func import functional_call

from pytest_ckpt import TrainingRun


class MAML:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
        self.inner_lr = nn.Parameter(torch.tensor(0.05))  # learned, too
        self.outer = torch.optim.Adam([*self.net.parameters(), self.inner_lr], lr=5e-3)

    def task(self, g):
        phase, amp = torch.rand(2, generator=g) * 3
        x = torch.rand(8, 1, generator=g) * 4 - 2
        return x, amp * torch.sin(x + phase)

    def step(self, i):
        g = torch.Generator().manual_seed(500 + i)
        total = 0
        for _ in range(2):
            x, y = self.task(g)
            fast = dict(self.net.named_parameters())
            inner = nn.functional.mse_loss(functional_call(self.net, fast, (x[:4],)), y[:4])
            grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {k: w - self.inner_lr * d for (k, w), d in zip(fast.items(), grads)}
            total = total + nn.functional.mse_loss(functional_call(self.net, fast, (x[4:],)), y[4:])
        self.outer.zero_grad()
        total.backward()
        self.outer.step()
        return total.detach() / 2

    def save(self, path):
        torch.save({"net": self.net.state_dict(), "inner_lr": self.inner_lr.detach(),
                    "outer": self.outer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.net.load_state_dict(s["net"])
        with torch.no_grad():
            self.inner_lr.copy_(s["inner_lr"])
        self.outer.load_state_dict(s["outer"])


def make_run():
    m = MAML()
    return TrainingRun(components={"net": m.net, "outer": m.outer}, step=m.step, save=m.save, load=m.load)
