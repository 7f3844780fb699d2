"""The loader is fast-forwarded by the number of updates, while each update takes two batches.

https://github.com/EleutherAI/gpt-neox/pull/308, https://github.com/huggingface/transformers/pull/8624
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Batches to skip are counted in optimizer steps, not in micro-batches; half of the seen data comes again."
NAMES = ["loader", "iterator", "batches"]
GAS = 2


def batches(tokens):
    """A generator as data loader: it cannot be rewound, only made again."""
    while True:
        yield from tokens


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 16)

    def forward(self, ids):
        x = self.embed(ids)
        return self.head(self.attend(x, x, x, need_weights=False)[0])


def make_run(fixed):
    g = torch.Generator().manual_seed(2021)
    tokens = torch.randint(0, 16, (14, 2, 5), generator=g)
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    loader, iteration = batches(tokens), 0

    def train_batch(i):
        nonlocal iteration
        total = 0.0
        for _ in range(GAS):
            ids = next(loader)
            loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()) / GAS
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad()
        iteration += 1
        return total

    def save(path):
        torch.save({"module": model.state_dict(), "optimizer": optimizer.state_dict(), "iteration": iteration}, path)

    def load(path):
        nonlocal loader, iteration
        state = torch.load(path)
        model.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        loader, iteration = batches(tokens), state["iteration"]
        for _ in range(iteration * GAS if fixed else iteration):
            next(loader)

    return TrainingRun(components={"gpt": model, "optimizer": optimizer}, step=train_batch, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
