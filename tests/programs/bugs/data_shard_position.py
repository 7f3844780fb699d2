"""A streaming loader starts at its first shard again.

https://github.com/paiml/entrenar/issues/294 ("Data loader position not checkpointed - resume restarts from shard 1")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The stream's shard and offset are not saved; a resumed run trains on data it has seen."
NAMES = ["stream", "shard", "offset", "loader"]


class ShardStream:
    """Reads `rows` lines of a shard at a time."""

    def __init__(self, shards, rows=2):
        self.shards, self.rows = shards, rows
        self.shard = self.offset = 0

    def __iter__(self):
        return self

    def __next__(self):
        lines = self.shards[self.shard][self.offset : self.offset + self.rows]
        self.offset += self.rows
        if self.offset >= len(self.shards[self.shard]):
            self.shard, self.offset = (self.shard + 1) % len(self.shards), 0
        return lines

    def state_dict(self):
        return {"shard": self.shard, "offset": self.offset}

    def load_state_dict(self, state):
        self.shard, self.offset = state["shard"], state["offset"]


def make_run(fixed):
    g = torch.Generator().manual_seed(19)
    shards = [torch.randn(4, 7, generator=g) + n for n in range(4)]
    stream = ShardStream(shards)
    model = nn.LSTM(1, 5, batch_first=True)
    head = nn.Linear(5, 1)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.02)

    def step(i):
        lines = next(stream).unsqueeze(-1)
        out, _ = model(lines[:, :-1])
        loss = nn.functional.mse_loss(head(out), lines[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    def objects():
        saved = {"lstm": model, "head": head, "optimizer": optimizer}
        return saved | {"stream": stream} if fixed else saved

    def save(path):
        torch.save({name: value.state_dict() for name, value in objects().items()}, path)

    def load(path):
        state = torch.load(path)
        for name, value in objects().items():
            value.load_state_dict(state[name])

    return TrainingRun({"lstm": model, "head": head, "optimizer": optimizer}, step, save, load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
