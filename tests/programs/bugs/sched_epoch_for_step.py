"""A scheduler that counts optimizer steps is set to the number of epochs on resume.

https://github.com/vllm-project/speculators/pull/900 ("Seed resumed LR schedulers with the global step, not the epoch
index")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The per-step schedule is resumed with the epoch index, so it falls back into warm-up."
NAMES = ["global_step", "schedule", "num_updates", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]
STEPS_PER_EPOCH = 2


class InverseSquareRoot:
    """fairseq's schedule: step_update(n) sets the rate for the n-th update."""

    def __init__(self, optimizer, peak=0.05, warmup=3):
        self.optimizer, self.peak, self.warmup = optimizer, peak, warmup
        self.num_updates = 0
        self.step_update(0)

    def step_update(self, num_updates):
        self.num_updates = num_updates
        n = num_updates + 1
        lr = self.peak * min(n / self.warmup, (self.warmup / n) ** 0.5)
        for group in self.optimizer.param_groups:
            group["lr"] = lr


class Trainer:
    def __init__(self, fixed):
        self.fixed = fixed
        self.model = nn.Bilinear(4, 4, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.schedule = InverseSquareRoot(self.optimizer)
        self.epoch = self.global_step = 0
        self.data = torch.randn(6, 14, 4, generator=torch.Generator().manual_seed(44))

    def step(self, i):
        x = self.data[i]
        loss = (self.model(x, x).squeeze(1) - x.square().sum(1)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.global_step += 1
        self.epoch = self.global_step // STEPS_PER_EPOCH
        self.schedule.step_update(self.schedule.num_updates + 1)
        return loss.item()

    def save(self, path):
        counters = {"epoch": self.epoch, "global_step": self.global_step}
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), **counters}, path)

    def load(self, path):
        c = torch.load(path)
        self.model.load_state_dict(c["model"])
        self.optimizer.load_state_dict(c["optimizer"])
        self.epoch, self.global_step = c["epoch"], c["global_step"]
        self.schedule.step_update(self.global_step if self.fixed else self.epoch)


def make_run(fixed):
    t = Trainer(fixed)
    return TrainingRun({"model": t.model, "optimizer": t.optimizer}, t.step, t.save, t.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
