"""Language model with tied input and output embeddings, saved once, loaded with a plain load_state_dict."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class TinyLM(nn.Module):
    def __init__(self, vocab=17, d=10):
        super().__init__()
        self.embed = nn.Embedding(vocab, d)
        self.rnn = nn.LSTM(d, d, batch_first=True)
        self.decoder = nn.Linear(d, vocab)
        self.decoder.weight = self.embed.weight

    def forward(self, t):
        return self.decoder(self.rnn(self.embed(t))[0])


class Trainer:
    def __init__(self):
        self.lm = TinyLM()
        self.opt = torch.optim.Adam(self.lm.parameters(), lr=1e-2)

    def step(self, i):
        t = (torch.arange(16).view(2, 8) * (i + 2) + 1) % 17
        self.opt.zero_grad()
        loss = nn.functional.cross_entropy(self.lm(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
        loss.backward()
        self.opt.step()
        return loss.item()

    def save(self, path):
        weights = self.lm.state_dict()
        del weights["decoder.weight"]  # the same tensor as embed.weight
        torch.save({"lm": weights, "opt": self.opt.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        s["lm"]["decoder.weight"] = s["lm"]["embed.weight"]
        self.lm.load_state_dict(s["lm"])
        self.opt.load_state_dict(s["opt"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"lm": t.lm, "opt": t.opt}, step=t.step, save=t.save, load=t.load)
