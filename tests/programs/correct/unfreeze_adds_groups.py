"""Gradual unfreezing with add_param_group; load brings the optimizer to the same groups first."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

UNFREEZE_AT = {2: 1, 4: 0}  # step -> layer


class Trainer:
    def __init__(self):
        self.layers = nn.ModuleList([nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 1)])
        for layer in self.layers[:2]:
            layer.requires_grad_(False)
        self.optimizer = torch.optim.SGD(self.layers[2].parameters(), lr=0.1, momentum=0.9)

    def unfreeze(self, n):
        self.layers[n].requires_grad_(True)
        self.optimizer.add_param_group({"params": list(self.layers[n].parameters()), "lr": 0.1 / (4 - n), "layer": n})

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x)) + 0.01 * layer(x)
        return self.layers[-1](x)

    def step(self, i):
        if i in UNFREEZE_AT:
            self.unfreeze(UNFREEZE_AT[i])
        x = torch.linspace(-2, 2, 40).view(8, 5) * (1 + i)
        self.optimizer.zero_grad()
        loss = (self.forward(x) - x.sin().sum(1, keepdim=True)).pow(2).mean().sqrt()
        loss.backward()
        self.optimizer.step()
        return loss.item(), len(self.optimizer.param_groups)

    def save(self, path):
        torch.save({"layers": self.layers.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "unfrozen": [g["layer"] for g in self.optimizer.param_groups[1:]]}, path)

    def load(self, path):
        ckpt = torch.load(path)
        have = [g["layer"] for g in self.optimizer.param_groups[1:]]
        for n in ckpt["unfrozen"][len(have):]:
            self.unfreeze(n)
        self.layers.load_state_dict(ckpt["layers"])
        self.optimizer.load_state_dict(ckpt["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"layers": t.layers, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
