"""The vocabulary grew during training; loading ignores mismatched sizes (transformers' ignore_mismatched_sizes; cf. huggingface/peft#1147, #1689)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "New tokens enlarge the embedding while training; the fresh model is small and the loader skips tensors of another shape."
NAMES = ["embed", "emb.", "out."]


class Tagger(nn.Module):
    def __init__(self, vocab=10):
        super().__init__()
        self.emb, self.out = nn.Embedding(vocab, 5), nn.Linear(5, 3)

    def resize_token_embeddings(self, n):
        old = self.emb.weight.data
        self.emb = nn.Embedding(n, old.shape[1])
        rows = min(n, len(old))
        self.emb.weight.data[:rows] = old[:rows]
        self.emb.weight.data[rows:] = old.mean(0)


class Program:
    def __init__(self, resize_first):
        self.resize_first = resize_first
        self.model = Tagger()
        self._new_optimizer()

    def _new_optimizer(self):
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-2)

    def step(self, i):
        g = torch.Generator().manual_seed(50 + i)
        ids = torch.randint(0, 10 + 2 * i, (20,), generator=g)
        if int(ids.max()) >= self.model.emb.num_embeddings:
            self.model.resize_token_embeddings(int(ids.max()) + 1)
            self._new_optimizer()
        loss = nn.functional.cross_entropy(self.model.out(self.model.emb(ids)), ids % 3)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        ck = torch.load(path)
        if self.resize_first:
            self.model.resize_token_embeddings(ck["model"]["emb.weight"].shape[0])
            self._new_optimizer()
        own = self.model.state_dict()
        matching = {k: v for k, v in ck["model"].items() if own[k].shape == v.shape}
        self.model.load_state_dict(matching, strict=False)
        if len(matching) == len(own):
            self.optimizer.load_state_dict(ck["optimizer"])

    def components(self):
        return {"model": self.model, "optimizer": self.optimizer}


def make_run(fixed):
    p = Program(resize_first=fixed)
    return TrainingRun(components=p.components, step=p.step, save=p.save, load=p.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
