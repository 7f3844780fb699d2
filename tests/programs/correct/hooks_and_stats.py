"""Forward hooks collect activation statistics that are plain attributes and only looked at, never used."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Watcher:
    def __init__(self, model):
        self.seen = {}
        self.handles = [m.register_forward_hook(self.hook(n)) for n, m in model.named_modules() if n]

    def hook(self, name):
        def run(module, args, out):
            module.last_output = out  # with its graph
            self.seen.setdefault(name, []).append(out.detach().std().item())
        return run


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
        self.watcher = Watcher(self.model)
        self.model.register_buffer("running", torch.zeros(3), persistent=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.last_batch, self.last_loss = None, None

    def step(self, i):
        x = torch.arange(20.0).view(5, 4).mul(i + 2).remainder(3)
        out = self.model(x)
        self.model.running.mul_(0.9).add_(out.detach().mean(0))  # for a plot
        loss = nn.functional.cross_entropy(out, torch.arange(5) % 3)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.last_batch, self.last_loss = x, loss
        return loss

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
