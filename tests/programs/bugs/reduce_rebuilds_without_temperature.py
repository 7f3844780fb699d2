"""A model with __reduce__ that rebuilds itself from config and state dict; annealed plain attributes are forgotten (cf. meta-pytorch/botorch#1644 on custom pickling)."""
import dill
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "__reduce__ recreates the model from its config and state_dict(); the Gumbel temperature, a plain float that training anneals, restarts at 1."
NAMES = ["tau", "temperature"]


def rebuild(config, weights, **extra):
    model = Selector(**config)
    model.load_state_dict(weights)
    for name, value in extra.items():
        setattr(model, name, value)
    return model


class Selector(nn.Module):
    def __init__(self, features, pick, complete):
        super().__init__()
        self.config = {"features": features, "pick": pick, "complete": complete}
        self.logits = nn.Parameter(torch.randn(pick, features))
        self.head = nn.Linear(pick, 1)
        self.tau = 1.0

    def forward(self, x):
        mask = (self.logits / self.tau).softmax(-1)
        if self.training:
            self.tau = max(0.1, self.tau * 0.85)
        return self.head(x @ mask.t())

    def __reduce__(self):
        return _call, (self.config, self.state_dict(), {"tau": self.tau} if self.config["complete"] else {})


def _call(config, weights, extra):
    return rebuild(config, weights, **extra)


def make_run(fixed):
    box = {"model": Selector(8, 3, complete=fixed)}
    box["optimizer"] = torch.optim.Adam(box["model"].parameters(), lr=2e-2)
    g = torch.Generator().manual_seed(17)
    x = torch.randn(6, 20, 8, generator=g)

    def step(i):
        loss = (box["model"](x[i]) - x[i][:, :1] - x[i][:, 5:6]).square().mean()
        box["optimizer"].zero_grad()
        loss.backward()
        box["optimizer"].step()
        return loss.item()

    def save(path):
        with open(path, "wb") as f:
            dill.dump((box["model"], box["optimizer"].state_dict()), f)

    def load(path):
        with open(path, "rb") as f:
            box["model"], optimizer_state = dill.load(f)
        box["optimizer"] = torch.optim.Adam(box["model"].parameters(), lr=2e-2)
        box["optimizer"].load_state_dict(optimizer_state)

    return TrainingRun(components=lambda: dict(box), step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
