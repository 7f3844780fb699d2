"""save() empties the queue it writes (popleft until empty), as checkpointing code for queues of work often does."""
import collections

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() pops every hard example out of the live deque to write it; the live run goes on without them, the file is right."
NAMES = ["hard", "queue", "deque"]


class Miner:
    def __init__(self, drain):
        self.drain = drain
        self.net = nn.Linear(6, 1)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.hard = collections.deque(maxlen=8)
        g = torch.Generator().manual_seed(31415)
        self.x = torch.randn(6, 10, 6, generator=g)

    def step(self, i):
        x = torch.cat([self.x[i], *self.hard]) if self.hard else self.x[i]
        losses = (self.net(x).squeeze(1) - x.prod(1)).square()
        self.opt.zero_grad()
        losses.mean().backward()
        self.opt.step()
        for j in losses[:10].topk(2).indices.tolist():
            self.hard.append(self.x[i][j : j + 1])
        return losses.mean().item(), len(x)

    def queue_contents(self):
        if not self.drain:
            return list(self.hard)
        items = []
        while self.hard:
            items.append(self.hard.popleft())
        return items

    def save(self, path):
        torch.save({"net": self.net.state_dict(), "opt": self.opt.state_dict(), "hard": self.queue_contents()}, path)

    def load(self, path):
        ck = torch.load(path)
        self.net.load_state_dict(ck["net"])
        self.opt.load_state_dict(ck["opt"])
        self.hard = collections.deque(ck["hard"], maxlen=8)


def make_run(fixed):
    m = Miner(drain=not fixed)
    return TrainingRun(components={"net": m.net, "opt": m.opt}, step=m.step, save=m.save, load=m.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
