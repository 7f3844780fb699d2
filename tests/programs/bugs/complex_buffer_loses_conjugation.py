"""A lazily conjugated complex buffer written as raw numbers: the conj bit is lost silently (safetensors does this; here with the same file format)."""
import os

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The spectral filter is replaced by kernel.conj(), a view with the conj bit; safetensors writes the bytes below and the imaginary part changes its sign."
NAMES = ["kernel", "conj", "complex", "filter"]


class SpectralLayer(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.gain = nn.Parameter(torch.rand(n))
        self.register_buffer("kernel", torch.polar(torch.ones(n), torch.rand(n) * 3))

    def forward(self, x):
        y = torch.fft.ifft(torch.fft.fft(x) * self.kernel * self.gain).real
        with torch.no_grad():  # time reversal of the filter after each batch, with a little drift
            self.kernel = (self.kernel * torch.polar(torch.tensor(0.99), torch.tensor(0.1))).conj()
        return y


class Store:
    def __init__(self, parts, resolve):
        self.parts, self.resolve = parts, resolve

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        tensors = self.parts["model"].state_dict()
        if self.resolve:
            tensors = {k: v.resolve_conj() for k, v in tensors.items()}
        save_file(dict(tensors), os.path.join(folder, "model.safetensors"))
        torch.save(self.parts["optimizer"].state_dict(), os.path.join(folder, "optimizer.pt"))

    def load(self, folder):
        self.parts["model"].load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
        self.parts["optimizer"].load_state_dict(torch.load(os.path.join(folder, "optimizer.pt")))


def make_run(fixed):
    model = SpectralLayer()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    store = Store({"model": model, "optimizer": optimizer}, resolve=fixed)
    x = torch.randn(6, 8, 6, generator=torch.Generator().manual_seed(1822))

    def step(i):
        loss = (model(x[i]) - x[i].roll(1, 1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components=store.parts, step=step, save=store.save, load=store.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
