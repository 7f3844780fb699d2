"""A LambdaLR whose function keeps its own memory: LambdaLR saves callable objects, not closures.

https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html ("only be saved if they are callable
objects and not if they are functions or lambdas")
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from pytest_ckpt import TrainingRun

DOC = "The schedule's factor lives in a closure, which LambdaLR.state_dict() leaves out."
NAMES = ["factor", "lambda", "closure", ".lr", "['lr']", "'lr'", "learning rate", "learning_rate"]


def decaying():
    factor = 1.0

    def multiply(step):
        nonlocal factor
        if step > 0 and step % 2 == 0:
            factor *= 0.5
        return factor

    return multiply


class Decaying:
    def __init__(self):
        self.factor = 1.0

    def __call__(self, step):
        if step > 0 and step % 2 == 0:
            self.factor *= 0.5
        return self.factor


def make_run(fixed):
    g = torch.Generator().manual_seed(808)
    sentences = torch.randint(0, 15, (6, 4, 7), generator=g)
    model = nn.Sequential(nn.Embedding(15, 6), nn.Linear(6, 15))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    scheduler = LambdaLR(optimizer, Decaying() if fixed else decaying())

    def train_step(i):
        logits = model(sentences[i][:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), sentences[i][:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    def save(path):
        torch.save([part.state_dict() for part in (model, optimizer, scheduler)], path)

    def load(path):
        for part, state in zip((model, optimizer, scheduler), torch.load(path)):
            part.load_state_dict(state)

    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    return TrainingRun(components=parts, step=train_step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
