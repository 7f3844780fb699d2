"""Gradients are kept but the position in the window starts at 0, so every later update comes too late.

https://github.com/huggingface/transformers/issues/22143 (total_batched_samples is reset to 0 on resume),
https://github.com/mflux-community/mflux/pull/447 ("Accumulator boundary loses synchronization")
"""

import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "total_batched_samples is not restored: the boundary of the accumulation window moves."
NAMES = ["total_batched_samples", "micro", "accumul", "counter"]


class Trainer:
    accumulation_steps = 4

    def __init__(self):
        torch.manual_seed(1)
        self.inputs = torch.randn(6, 5, 4)
        self.model = nn.Linear(4, 4)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.total_batched_samples = 0

    def training_step(self, i):
        loss = self.model(self.inputs[i]).pow(2).sub(self.inputs[i].abs()).pow(2).mean()
        (loss / self.accumulation_steps).backward()
        self.total_batched_samples += 1
        if self.total_batched_samples % self.accumulation_steps == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss.item()

    def save(self, output_dir):
        os.makedirs(output_dir, exist_ok=True)
        torch.save(self.model.state_dict(), os.path.join(output_dir, "pytorch_model.bin"))
        torch.save(self.optimizer.state_dict(), os.path.join(output_dir, "optimizer.pt"))
        grads = [p.grad for p in self.model.parameters()]
        torch.save({"grads": grads, "batches": self.total_batched_samples}, os.path.join(output_dir, "window.pt"))

    def load(self, output_dir):
        self.model.load_state_dict(torch.load(os.path.join(output_dir, "pytorch_model.bin")))
        self.optimizer.load_state_dict(torch.load(os.path.join(output_dir, "optimizer.pt")))
        self.window = torch.load(os.path.join(output_dir, "window.pt"))
        for p, grad in zip(self.model.parameters(), self.window["grads"]):
            p.grad = grad


class MendedTrainer(Trainer):
    def load(self, output_dir):
        super().load(output_dir)
        self.total_batched_samples = self.window["batches"]


def make_run(fixed):
    t = MendedTrainer() if fixed else Trainer()
    return TrainingRun(
        components={"model": t.model, "optimizer": t.optimizer}, step=t.training_step, save=t.save, load=t.load
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
