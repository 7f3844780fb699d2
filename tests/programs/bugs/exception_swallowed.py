"""`try: load_state_dict(...) except RuntimeError: warn`: Unity-Technologies/ml-agents#5213-like tolerant loaders; pytorch/executorch#2191."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The episodic memory grows, so load_state_dict raises a size mismatch in a fresh model; the loader catches it and goes on with what it has."
NAMES = ["memory", "head", "model", "slots", "size mismatch"]


class EpisodicNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.key = nn.Linear(4, 3)
        self.register_buffer("memory", torch.zeros(1, 3))

    def forward(self, x):
        k = self.key(x)
        read = (k @ self.memory.t()).softmax(-1) @ self.memory
        if self.training:
            self.memory = torch.cat([self.memory, k.detach().mean(0, keepdim=True)])
        return k + 0.5 * read


def safe_load(module, state, grow):
    if grow:
        module.memory = torch.zeros_like(state["memory"])
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        print("could not restore everything:", str(error).splitlines()[0])


class App:
    def __init__(self, grow):
        self.grow = grow
        self.net = EpisodicNet()
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)

    def step(self, i):
        x = torch.randn(5, 4, generator=torch.Generator().manual_seed(5213 + i))
        loss = (self.net(x) - x[:, :3].exp().clamp(max=3)).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        torch.save({"net": self.net.state_dict(), "opt": self.opt.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        safe_load(self.net, ck["net"], self.grow)
        self.opt.load_state_dict(ck["opt"])


def make_run(fixed):
    app = App(grow=fixed)
    return TrainingRun(components={"net": app.net, "opt": app.opt}, step=app.step, save=app.save, load=app.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
