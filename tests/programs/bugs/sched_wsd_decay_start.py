"""Warm-up, stable, decay: the step at which decay was triggered is a plain attribute.

After https://github.com/PrimeIntellect-ai/prime-rl/pull/1095 (WSD schedules across resumes)
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from pytest_ckpt import TrainingRun

DOC = "state_dict keeps last_epoch and drops decay_from; a resumed run goes back to the stable phase."
NAMES = ["decay_from", "wsd", "scheduler"]


class WSD(LRScheduler):
    keep = ("last_epoch", "base_lrs", "_step_count", "_last_lr")

    def __init__(self, optimizer, warmup=2, decay=4):
        self.warmup, self.decay, self.decay_from = warmup, decay, None
        super().__init__(optimizer)

    def start_decay(self):
        if self.decay_from is None:
            self.decay_from = self.last_epoch

    def get_lr(self):
        if self.decay_from is not None:
            scale = max(0.1, 1 - (self.last_epoch - self.decay_from) / self.decay)
        else:
            scale = min(1.0, (self.last_epoch + 1) / self.warmup)
        return [lr * scale for lr in self.base_lrs]

    def state_dict(self):
        return {k: getattr(self, k) for k in self.keep}


class CompleteWSD(WSD):
    keep = (*WSD.keep, "decay_from")


def make_run(fixed):
    g = torch.Generator().manual_seed(700)
    ids = torch.randint(0, 9, (6, 5, 6), generator=g)
    model = nn.Sequential(nn.Embedding(9, 7), nn.Linear(7, 9))
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.02)
    scheduler = (CompleteWSD if fixed else WSD)(optimizer)

    def step(i):
        loss = nn.functional.cross_entropy(model(ids[i, :, :-1]).transpose(1, 2), ids[i, :, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i == 2:  # the operator decides to cool down
            scheduler.start_decay()
        scheduler.step()
        return loss.item()

    return TrainingRun(components={"model": model, "optimizer": optimizer, "scheduler": scheduler}, step=step)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
