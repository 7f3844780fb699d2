"""A module with Python state in its extra state: a vocabulary that grows and a counter."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class GrowingEmbedding(nn.Module):
    def __init__(self, rows=12, d=4):
        super().__init__()
        self.table = nn.Embedding(rows, d)
        self.vocab, self.hits = {}, 0

    def index(self, word):
        self.hits += 1
        return self.vocab.setdefault(word, len(self.vocab))

    def forward(self, words):
        return self.table(torch.tensor([self.index(w) for w in words]))

    def get_extra_state(self):
        return {"vocab": dict(self.vocab), "hits": self.hits}

    def set_extra_state(self, state):
        self.vocab, self.hits = dict(state["vocab"]), state["hits"]


SENTENCES = ["the cat sat", "a dog ran", "the dog sat", "cat and dog", "an owl sat", "the owl ran"]


def make_run():
    model = nn.Sequential(GrowingEmbedding(), nn.Linear(4, 1))
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)

    def step(i):
        words = SENTENCES[i % len(SENTENCES)].split()
        optimizer.zero_grad()
        target = torch.tensor([[float(len(w))] for w in words])
        loss = (model(words) - target).abs().mean()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item(), "known": len(model[0].vocab), "hits": model[0].hits}

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)
