"""Schedules without a save of their own: construct, load optimizer, load scheduler is up to the plugin."""
import torch
from torch import nn
from torch.optim import lr_scheduler as S

from pytest_ckpt import TrainingRun


def _program(schedule, lr=0.1):
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = schedule(optimizer)

    def step(i):
        x = torch.randn(8, 4)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    return TrainingRun(components={"scheduler": scheduler, "optimizer": optimizer, "model": model}, step=step)


def make_run_cyclic():
    return _program(lambda o: S.CyclicLR(o, 0.01, 0.1, step_size_up=3, cycle_momentum=False))


def make_run_one_cycle():
    return _program(lambda o: S.OneCycleLR(o, 0.1, total_steps=30))


def make_run_warm_restarts():
    return _program(lambda o: S.CosineAnnealingWarmRestarts(o, 3))


def make_run_lambda():
    return _program(lambda o: S.LambdaLR(o, lambda e: 1 / (1 + e)))


def make_run_sequential():
    return _program(lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 2), S.CosineAnnealingLR(o, 5)], [2]))


RUNS = [make_run_cyclic, make_run_one_cycle, make_run_warm_restarts, make_run_lambda, make_run_sequential]
