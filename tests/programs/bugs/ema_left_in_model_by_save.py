"""save() copies the averaged weights into the model, writes, and forgets to put the raw weights back.

https://github.com/harubaru/waifu-diffusion/pull/31, https://github.com/atomistic-machine-learning/schnetpack/pull/785
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Each save leaves the averaged weights in the live model: saving changes the training, which leaves the file behind."
NAMES = ["unet", "side effect"]


class EMA:
    def __init__(self, params, decay=0.8):
        self.params, self.decay = list(params), decay
        self.shadow = [p.detach().clone() for p in self.params]
        self.backup = None

    def update(self):
        for shadow, p in zip(self.shadow, self.params):
            shadow.lerp_(p.detach(), 1 - self.decay)

    def store(self):
        self.backup = [p.detach().clone() for p in self.params]

    def copy_to(self, values):
        for p, value in zip(self.params, values):
            p.data.copy_(value)


def make_run(fixed):
    torch.manual_seed(222)
    latents = torch.randn(6, 6, 4)
    unet = nn.Sequential(nn.Linear(4, 12), nn.SiLU(), nn.Linear(12, 4))
    optimizer = torch.optim.AdamW(unet.parameters(), lr=0.02)
    ema = EMA(unet.parameters())

    def step(i):
        loss = nn.functional.mse_loss(unet(latents[i]), latents[i].flip(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update()
        return loss.item()

    def save(path):
        raw = {n: p.detach().clone() for n, p in unet.state_dict().items()}
        ema.store()
        ema.copy_to(ema.shadow)
        inference = {n: p.clone() for n, p in unet.state_dict().items()}
        if fixed:
            ema.copy_to(ema.backup)
        state = {"optimizer": optimizer.state_dict(), "shadow": ema.shadow}
        torch.save({"raw": raw, "inference": inference, **state}, path)

    def load(path):
        state = torch.load(path)
        unet.load_state_dict(state["raw"])
        optimizer.load_state_dict(state["optimizer"])
        ema.shadow = state["shadow"]

    return TrainingRun(components={"unet": unet, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
