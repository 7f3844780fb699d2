"""Encoder and decoder pickled whole into two files: what they shared is copied (cf. huggingface/transformers#37758, BlackSamorez/tensor_parallel#73)."""
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Encoder and decoder share one embedding; saved as two whole-module pickles they come back with one copy each, and only the encoder's is trained."
NAMES = ["tie", "shared", "embed", "decoder", "emb"]


class Side(nn.Module):
    def __init__(self, emb):
        super().__init__()
        self.emb = emb
        self.mix = nn.Linear(5, 5)

    def forward(self, ids):
        return self.mix(self.emb(ids)).tanh().mean(1)


class Seq2Seq:
    def __init__(self, retie):
        self.retie = retie
        shared = nn.Embedding(9, 5)
        self.encoder, self.decoder = Side(shared), Side(shared)
        self.build_optimizer()

    def build_optimizer(self):
        params = [*self.encoder.parameters(), *self.decoder.mix.parameters()]
        self.optimizer = torch.optim.SGD(params, lr=0.2, momentum=0.9)

    def step(self, i):
        ids = torch.randint(0, 9, (2, 6, 4), generator=torch.Generator().manual_seed(7 * i))
        loss = (self.encoder(ids[0]) - self.decoder(ids[1]) - 0.3).pow(2).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name in ("encoder", "decoder"):
            torch.save(getattr(self, name), os.path.join(folder, name + ".pth"))
        torch.save(self.optimizer.state_dict(), os.path.join(folder, "optimizer.pth"))

    def load(self, folder):
        for name in ("encoder", "decoder"):
            setattr(self, name, torch.load(os.path.join(folder, name + ".pth"), weights_only=False))
        if self.retie:
            self.decoder.emb = self.encoder.emb
        self.build_optimizer()
        self.optimizer.load_state_dict(torch.load(os.path.join(folder, "optimizer.pth")))

    def parts(self):
        return {"encoder": self.encoder, "decoder": self.decoder, "optimizer": self.optimizer}


def make_run(fixed):
    s = Seq2Seq(retie=fixed)
    return TrainingRun(components=s.parts, step=s.step, save=s.save, load=s.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
