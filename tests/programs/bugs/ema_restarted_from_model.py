"""The EMA is rebuilt from the current weights at resume: ai2cm/ace#349, Vchitect/Latte#55, PixArt-alpha/PixArt-sigma#156, Benzoin96485/Enerzyme#36."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The exponential moving average of the weights is not in the checkpoint and starts again from the resumed weights; the training loss does not show it."
NAMES = ["ema"]


class EMA:
    def __init__(self, model, decay=0.8):
        self.module, self.decay = copy.deepcopy(model).requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model):
        for mine, theirs in zip(self.module.state_dict().values(), model.state_dict().values()):
            mine.mul_(self.decay).add_(theirs, alpha=1 - self.decay)

    def state_dict(self):
        return self.module.state_dict()

    def load_state_dict(self, state):
        self.module.load_state_dict(state)


def main(fixed):
    denoiser = nn.Sequential(nn.Linear(5, 16), nn.SiLU(), nn.Linear(16, 4))
    ema = EMA(denoiser)
    opt = torch.optim.AdamW(denoiser.parameters(), lr=3e-3)
    g = torch.Generator().manual_seed(55)
    clean, noise, t = torch.randn(6, 8, 4, generator=g), torch.randn(6, 8, 4, generator=g), torch.rand(6, 8, 1, generator=g)

    def train_step(i):
        noisy = (1 - t[i]) * clean[i] + t[i] * noise[i]
        loss = nn.functional.mse_loss(denoiser(torch.cat([noisy, t[i]], 1)), noise[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        ema.update(denoiser)
        return loss.item()

    def save(path):
        ckpt = {"model": denoiser.state_dict(), "opt": opt.state_dict()}
        if fixed:
            ckpt["ema"] = ema.state_dict()
        torch.save(ckpt, path)

    def load(path):
        ckpt = torch.load(path)
        denoiser.load_state_dict(ckpt["model"])
        opt.load_state_dict(ckpt["opt"])
        ema.load_state_dict(ckpt["ema"] if fixed else copy.deepcopy(denoiser.state_dict()))

    def sample():
        with torch.no_grad():
            return ema.module(torch.linspace(-1, 1, 10).view(2, 5))

    return TrainingRun(components={"model": denoiser, "ema": ema, "opt": opt}, step=train_step, save=save, load=load, predict=sample)


def make_run(fixed):
    return main(fixed)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
