"""Gradients are summed over micro-batches and divided by the tokens seen; the count of tokens restarts.

After the fix of loss normalisation under gradient accumulation in transformers (num_items_in_batch) and
https://github.com/Nerogar/OneTrainer/pull/1465 (accumulated_loss is a function-local)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The token count of the unfinished window is a closure variable, not saved; the divisor is too small."
NAMES = ["tokens", "accumul"]


def make_run(fixed):
    torch.manual_seed(321)
    lengths = [3, 7, 2, 6, 5, 4]
    texts = [torch.randint(0, 13, (4, n + 1)) for n in lengths]
    model = nn.Sequential(nn.Embedding(13, 8), nn.Linear(8, 13))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    window = 2
    tokens = 0

    def step(i):
        nonlocal tokens
        text = texts[i]
        loss = nn.functional.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten(), reduction="sum")
        loss.backward()
        tokens += text[:, 1:].numel()
        if (i + 1) % window == 0:
            for p in model.parameters():
                p.grad /= tokens
            optimizer.step()
            optimizer.zero_grad()
            tokens = 0
        return loss.item()

    def save(path):
        grads = {name: p.grad for name, p in model.named_parameters()}
        blob = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "grads": grads}
        if fixed:
            blob["tokens"] = tokens
        torch.save(blob, path)

    def load(path):
        nonlocal tokens
        blob = torch.load(path)
        model.load_state_dict(blob["model"])
        optimizer.load_state_dict(blob["optimizer"])
        for name, p in model.named_parameters():
            p.grad = blob["grads"][name]
        tokens = blob.get("tokens", 0)

    return TrainingRun(components={"lm": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
