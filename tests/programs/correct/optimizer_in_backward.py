"""One optimizer per parameter, stepping inside backward by post-accumulate-grad hooks."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optims = {n: torch.optim.Adam([p], lr=1e-2, foreach=False) for n, p in self.model.named_parameters()}
        self.hooks = []
        for n, p in self.model.named_parameters():
            self.hooks.append(p.register_post_accumulate_grad_hook(self.hook(n)))

    def hook(self, name):
        def run(param):
            self.optims[name].step()
            self.optims[name].zero_grad()
        return run

    def step(self, i):
        x = torch.arange(24.0).view(6, 4).add(3 * i).cos()
        loss = (self.model(x) - x.mean(1, keepdim=True)).pow(2).mean()
        loss.backward()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optims": {n: o.state_dict() for n, o in self.optims.items()}},
                   path)

    def load(self, path):
        s = torch.load(path)
        self.model.load_state_dict(s["model"])
        for n, state in s["optims"].items():
            self.optims[n].load_state_dict(state)


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, **{f"optim_{n}": o for n, o in t.optims.items()}},
                       step=t.step, save=t.save, load=t.load)
