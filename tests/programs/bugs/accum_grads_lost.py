"""Stopped inside an accumulation window, the gradients gathered so far are gone.

https://github.com/Nerogar/OneTrainer/pull/1465, https://github.com/huggingface/transformers/issues/22143
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Gradients of the unfinished accumulation window are not in the checkpoint; the next update is too small."
NAMES = ["grad", "accumul"]
ACCUMULATE = 3


def make_run(fixed):
    gen = torch.Generator().manual_seed(90)
    micro = [(torch.randn(4, 6, generator=gen), torch.randint(0, 3, (4,), generator=gen)) for _ in range(6)]
    model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)

    def micro_step(i):
        x, y = micro[i]
        loss = nn.functional.cross_entropy(model(x), y)
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def save(path):
        checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        if fixed:
            checkpoint["grads"] = {n: p.grad for n, p in model.named_parameters()}
        torch.save(checkpoint, path)

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        grads = checkpoint.get("grads", {})
        for name, p in model.named_parameters():
            p.grad = grads.get(name)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=micro_step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
