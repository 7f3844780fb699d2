"""A whole-model pickle whose __setstate__ rebuilds a lookup in another order (cf. TakeLab/podium#177, meta-pytorch/botorch#1639 on custom __setstate__)."""
import pickle

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "__setstate__ rebuilds the word index from sorted(words) while the embedding rows follow insertion order; no training step."
NAMES = ["index", "vocab", "words"]

TEXT = "the cat sat on the mat and a dog sat by the door".split()


class BagOfWords(nn.Module):
    def __init__(self, words, in_order):
        super().__init__()
        self.in_order = in_order
        self.words = list(dict.fromkeys(words))
        self.index = {w: i for i, w in enumerate(self.words)}
        self.table = nn.Embedding(len(self.words), 4)
        self.out = nn.Linear(4, 2)

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["index"]  # can be rebuilt
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        order = self.words if self.in_order else sorted(self.words)
        self.index = {w: i for i, w in enumerate(order)}

    def forward(self, sentence):
        ids = torch.tensor([self.index[w] for w in sentence])
        return self.out(self.table(ids).mean(0))


class Service:
    def __init__(self, in_order):
        self.model = BagOfWords(TEXT, in_order).eval()

    def save(self, path):
        with open(path, "wb") as f:
            pickle.dump(self.model, f)

    def load(self, path):
        with open(path, "rb") as f:
            self.model = pickle.load(f)

    @torch.no_grad()
    def answer(self):
        return [self.model(TEXT[:3]), self.model(["dog"])]


def make_run(fixed):
    s = Service(in_order=fixed)
    return TrainingRun(components=lambda: {"model": s.model}, save=s.save, load=s.load, predict=s.answer)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
