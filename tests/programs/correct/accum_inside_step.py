"""Accumulation inside one step, zero_grad at the beginning: whatever is in .grad at saving is stale."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    model = nn.GRU(3, 6, batch_first=True)
    head = nn.Linear(6, 1)
    params = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.RAdam(params, lr=1e-2)
    series = torch.sin(torch.linspace(0, 20, 120)).view(4, 10, 3)

    def step(i):
        optimizer.zero_grad(set_to_none=False)
        total = 0.0
        for micro in (series[:2], series[2:]):
            out, _ = model(micro.roll(i, 1))
            loss = (head(out).squeeze(-1) - micro.mean(-1)).pow(2).mean() / 2
            loss.backward()
            total += loss.item()
        optimizer.step()
        return total

    return TrainingRun(components={"model": model, "head": head, "optimizer": optimizer}, step=step)
