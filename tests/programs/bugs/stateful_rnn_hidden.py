"""Truncated BPTT with a hidden state carried from batch to batch and kept as an attribute (fairseq / awd-lstm style language models)."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The LSTM's carried hidden state is a plain attribute tuple; after a resume the first window starts from None instead of the carried state."
NAMES = ["hidden", "carry", "state"]


class StatefulLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.out = nn.Embedding(11, 5), nn.LSTM(5, 7), nn.Linear(7, 11)
        self.hidden = None

    def forward(self, tokens):
        h, carry = self.lstm(self.embed(tokens), self.hidden)
        self.hidden = tuple(c.detach() for c in carry)
        return self.out(h)


def windows(length=5):
    stream = torch.randint(0, 11, (6 * length + 1, 3), generator=torch.Generator().manual_seed(90))
    return [(stream[a : a + length], stream[a + 1 : a + length + 1]) for a in range(0, 6 * length, length)]


def make_run(fixed):
    lm = StatefulLM()
    optimizer = torch.optim.SGD(lm.parameters(), lr=0.5, momentum=0.5)
    data = windows()

    def step(i):
        x, y = data[i]
        loss = nn.functional.cross_entropy(lm(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(lm.parameters(), 0.25)
        optimizer.step()
        return loss.item()

    def save(path):
        blob = {"lm": lm.state_dict(), "optimizer": optimizer.state_dict()}
        if fixed:
            blob["hidden"] = lm.hidden
        torch.save(blob, path)

    def load(path):
        blob = torch.load(path)
        lm.load_state_dict(blob["lm"])
        optimizer.load_state_dict(blob["optimizer"])
        lm.hidden = blob.get("hidden")

    return TrainingRun(components={"lm": lm, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
