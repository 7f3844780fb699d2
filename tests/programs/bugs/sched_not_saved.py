"""Warm-up and cosine start again after every interruption.

https://github.com/YehLi/xmodaler/issues/15, https://github.com/PolymathicAI/the_well/pull/63
"""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from pytest_ckpt import TrainingRun

DOC = "The LR scheduler is not in the checkpoint; warm-up starts again at step 0."
NAMES = ["scheduler", "last_epoch", "_step_count", "_last_lr"]
WARMUP, TOTAL = 3, 12


def warmup_cosine(step):
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (TOTAL - WARMUP)))


class Trainer:
    def __init__(self, checkpoint_keys):
        self.checkpoint_keys = checkpoint_keys
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.02)
        self.scheduler = LambdaLR(self.optimizer, warmup_cosine)
        gen = torch.Generator().manual_seed(123)
        self.batches = [(torch.randn(8, 8, generator=gen), torch.randint(4, (8,), generator=gen)) for _ in range(6)]

    def step(self, i):
        x, y = self.batches[i]
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item(), self.scheduler.get_last_lr()[0]

    def save(self, path):
        torch.save({key: getattr(self, key).state_dict() for key in self.checkpoint_keys}, path)

    def load(self, path):
        for key, state in torch.load(path).items():
            getattr(self, key).load_state_dict(state)


def make_run(fixed):
    trainer = Trainer(["model", "optimizer", "scheduler"] if fixed else ["model", "optimizer"])
    parts = {"model": trainer.model, "optimizer": trainer.optimizer, "scheduler": trainer.scheduler}
    return TrainingRun(components=parts, step=trainer.step, save=trainer.save, load=trainer.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
