"""Progressive growing: blocks added while training are unknown to a fresh model (mosaicml/composer#1002: surgery must be redone before load_checkpoint)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "A block is appended at steps 2 and 4; a fresh model has none and loads with strict=False, so the grown blocks are ignored (and grown again later)."
NAMES = ["block", "grow", "depth"]


class GrowingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.blocks, self.out = nn.Linear(4, 6), nn.ModuleList(), nn.Linear(6, 4)

    def grow(self):
        block = nn.Linear(6, 6)
        nn.init.zeros_(block.weight)
        nn.init.constant_(block.bias, 0.1)
        self.blocks.append(block)

    def forward(self, x):
        h = torch.tanh(self.inp(x))
        for block in self.blocks:
            h = h + torch.tanh(block(h))
        return self.out(h)


class Program:
    def __init__(self, regrow):
        self.regrow = regrow
        self.net = GrowingNet()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)

    def _grow(self):
        self.net.grow()
        self.optimizer.add_param_group({"params": list(self.net.blocks[-1].parameters())})

    def step(self, i):
        if i in (2, 4):
            self._grow()
        x = torch.randn(7, 4, generator=torch.Generator().manual_seed(1002 + i))
        loss = nn.functional.mse_loss(self.net(x), x.cumsum(1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "depth": len(self.net.blocks)}, path)

    def load(self, path):
        ck = torch.load(path)
        if self.regrow:
            while len(self.net.blocks) < ck["depth"]:
                self._grow()
        self.net.load_state_dict(ck["net"], strict=self.regrow)
        if len(ck["optimizer"]["param_groups"]) == len(self.optimizer.param_groups):
            self.optimizer.load_state_dict(ck["optimizer"])


def make_run(fixed):
    p = Program(regrow=fixed)
    return TrainingRun(components={"net": p.net, "optimizer": p.optimizer}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
