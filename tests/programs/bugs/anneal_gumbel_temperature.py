"""The temperature of a Gumbel quantiser is a Python float of the module, so state_dict() leaves it out.

After fairseq's GumbelVectorQuantizer.curr_temp and https://github.com/xuxu-wei/SUAVE/pull/198
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "curr_temp decays in every forward but is a plain attribute of the module; loading leaves it at the start value."
NAMES = ["curr_temp", "temperature"]


class Quantizer(nn.Module):
    def __init__(self, dim, codes, buffer):
        super().__init__()
        self.logits = nn.Linear(dim, codes)
        self.codebook = nn.Parameter(torch.randn(codes, dim))
        if buffer:
            self.register_buffer("curr_temp", torch.tensor(2.0))
        else:
            self.curr_temp = torch.tensor(2.0)

    def forward(self, x):
        if self.training:
            self.curr_temp = (self.curr_temp * 0.8).clamp(min=0.5)
        soft = (self.logits(x) / self.curr_temp).softmax(-1)
        return soft @ self.codebook


def make_run(fixed):
    g = torch.Generator().manual_seed(23)
    speech = torch.randn(6, 9, 5, generator=g)
    quantizer = Quantizer(5, 7, buffer=fixed)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.02)

    def step(i):
        quantizer.train()
        loss = (quantizer(speech[i]) - speech[i]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"quantizer": quantizer.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        blob = torch.load(path)
        quantizer.load_state_dict(blob["quantizer"])
        optimizer.load_state_dict(blob["optimizer"])

    return TrainingRun(components={"quantizer": quantizer, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
