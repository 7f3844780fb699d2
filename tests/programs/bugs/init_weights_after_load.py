"""The weights are initialised after they were loaded (mmengine-style init_weights, transformers' _init_weights on 'missing' modules)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "resume() loads the checkpoint and then calls init_weights(), which resets every LayerNorm and the bias of the head."
NAMES = ["norm", "bias", "head"]


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.norm = nn.Linear(5, 5), nn.LayerNorm(7)
        self.channels, self.head = nn.Linear(7, 7), nn.Linear(7, 3)
        self.init_weights()

    def init_weights(self):
        self.norm.reset_parameters()
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        x = x + self.tokens(x.mT).mT
        x = x + torch.relu(self.channels(self.norm(x)))
        return self.head(x.mean(1))


class Runner:
    def __init__(self, init_first):
        self.init_first = init_first
        self.model = Mixer()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        g = torch.Generator().manual_seed(700)
        self.x, self.y = torch.randn(6, 6, 5, 7, generator=g), torch.randint(0, 3, (6, 6), generator=g)

    def step(self, i):
        loss = nn.functional.cross_entropy(self.model(self.x[i]), self.y[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"state_dict": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def resume(self, path):
        ck = torch.load(path)
        if self.init_first:
            self.model.init_weights()
        self.model.load_state_dict(ck["state_dict"])
        if not self.init_first:
            self.model.init_weights()
        self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    r = Runner(init_first=fixed)
    return TrainingRun(components={"model": r.model, "optimizer": r.optimizer}, step=r.step, save=r.save, load=r.resume)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
