"""`--reset-optimizer` is on by mistake: momenta are zeroed after they were loaded.

After https://github.com/facebookresearch/fairseq/issues/4066 and fairseq's reset_* options.
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() zeroes every momentum buffer, as the option reset_momentum defaults to True."
NAMES = ["momentum", "optimizer"]


class Checkpointer:
    def __init__(self, model, optimizer, reset_momentum=True):
        self.model, self.optimizer, self.reset_momentum = model, optimizer, reset_momentum

    def save(self, path):
        torch.save({"m": self.model.state_dict(), "o": self.optimizer.state_dict()}, path)

    def load(self, path):
        blob = torch.load(path)
        self.model.load_state_dict(blob["m"])
        self.optimizer.load_state_dict(blob["o"])
        if self.reset_momentum:
            for state in self.optimizer.state.values():
                if state.get("momentum_buffer") is not None:
                    state["momentum_buffer"].zero_()


def make_run(fixed):
    g = torch.Generator()
    g.manual_seed(2024)
    images = torch.rand(24, 1, 6, 6, generator=g)
    labels = torch.randint(0, 3, (24,), generator=g)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.95, dampening=0.1)
    checkpointer = Checkpointer(model, optimizer, **({"reset_momentum": False} if fixed else {}))
    criterion = nn.CrossEntropyLoss()

    def step(i):
        rows = range(4 * i, 4 * i + 4)
        optimizer.zero_grad()
        loss = criterion(model(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        print(f"iter {i}: {loss.item():.3f}")
        return loss.item()

    return TrainingRun(
        components={"model": model, "optimizer": optimizer}, step=step, save=checkpointer.save, load=checkpointer.load
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
