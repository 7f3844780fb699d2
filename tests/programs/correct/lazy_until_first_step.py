"""Lazy modules that stay lazy until the first batch: a checkpoint before step 0 holds uninitialized parameters
and the random state that will fill them."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def step(self, i):
        x = torch.linspace(-1, 1, 30).view(6, 5).roll(i, 0)
        self.optimizer.zero_grad()
        loss = (self.model(x) - x.norm(dim=1, keepdim=True)).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": torch.get_rng_state()}, path)

    def load(self, path):
        s = torch.load(path, weights_only=False)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])
        torch.set_rng_state(s["rng"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
