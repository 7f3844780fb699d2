"""Whole-model pickle whose __getstate__ drops 'runtime' attributes (the trick of pytorch/rl#1408/#1410 applied to state that matters; cf. VecNormalize.__getstate__)."""
import pickle

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "__getstate__ removes the memory bank to keep pickles small, __setstate__ fills it with zeros; the contrastive negatives are lost."
NAMES = ["memory", "bank"]


class InstDisc(nn.Module):
    def __init__(self, keep_bank):
        super().__init__()
        self.keep_bank = keep_bank
        self.encoder = nn.Linear(6, 4)
        self.memory = torch.zeros(12, 4)

    def forward(self, x, index):
        z = nn.functional.normalize(self.encoder(x), dim=1)
        logits = z @ self.memory.clone().t() / 0.2
        loss = nn.functional.cross_entropy(logits, index)
        self.memory[index] = nn.functional.normalize(0.5 * self.memory[index] + 0.5 * z.detach(), dim=1)
        return loss

    def __getstate__(self):
        state = self.__dict__.copy()
        if not self.keep_bank:
            del state["memory"]
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "memory" not in state:
            self.memory = torch.zeros(12, 4)


class Pretraining:
    def __init__(self, keep_bank):
        self.model = InstDisc(keep_bank)
        self.make_optimizer()
        self.images = torch.randn(12, 6, generator=torch.Generator().manual_seed(28))

    def make_optimizer(self):
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.3, momentum=0.9)

    def step(self, i):
        index = torch.arange(6) + 6 * (i % 2)
        loss = self.model(self.images[index].clone() + 0.05 * i, index)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        with open(path, "wb") as f:
            pickle.dump({"model": self.model, "optimizer": self.optimizer.state_dict()}, f)

    def load(self, path):
        with open(path, "rb") as f:
            saved = pickle.load(f)
        self.model = saved["model"]
        self.make_optimizer()
        self.optimizer.load_state_dict(saved["optimizer"])


def make_run(fixed):
    p = Pretraining(keep_bank=fixed)
    return TrainingRun(components=lambda: {"model": p.model, "optimizer": p.optimizer}, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
