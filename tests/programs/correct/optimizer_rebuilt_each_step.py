"""Each step is a round with a new inner optimizer (as in federated averaging): its state never outlives a step."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Federated:
    def __init__(self):
        self.server = nn.Linear(3, 2)
        self.optimizer = None  # of the last client, for the log
        g = torch.Generator().manual_seed(9)
        self.clients = [(torch.randn(8, 3, generator=g) + c, torch.arange(8) % 2) for c in range(3)]

    def local(self, x, y):
        model = copy.deepcopy(self.server)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=5e-2)
        for _ in range(2):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            self.optimizer.step()
        return model.state_dict(), loss.item()

    def step(self, i):
        chosen = [c for c in range(3) if c != i % 3]
        results = [self.local(*self.clients[c]) for c in chosen]
        mean = {k: torch.stack([r[0][k] for r in results]).mean(0) for k in results[0][0]}
        self.server.load_state_dict(mean)
        return [r[1] for r in results]

    def save(self, path):
        torch.save(self.server.state_dict(), path)

    def load(self, path):
        self.server.load_state_dict(torch.load(path))


def make_run():
    f = Federated()
    return TrainingRun(components={"server": f.server}, step=f.step, save=f.save, load=f.load)
