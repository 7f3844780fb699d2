"""The resumed step is multiplied by the accumulation factor, although it counts updates already.

https://github.com/huggingface/diffusers/issues/3467 (initial_global_step = global_step * gradient_accumulation_steps)
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "global_step is multiplied by gradient_accumulation_steps on load, which puts the SNR weighting ahead of time."
NAMES = ["global_step"]
GRADIENT_ACCUMULATION_STEPS = 2


def make_run(fixed):
    gen = torch.Generator().manual_seed(1000)
    latents = torch.randn(12, 4, 6, generator=gen)
    noise = torch.randn(12, 4, 6, generator=gen)
    unet = nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 6))
    optimizer = torch.optim.AdamW(unet.parameters(), lr=5e-3)
    global_step = 0

    def train_step(i):
        nonlocal global_step
        weight = 1.0 / (1.0 + 0.3 * global_step)
        optimizer.zero_grad()
        total = 0.0
        for part in range(GRADIENT_ACCUMULATION_STEPS):
            n = 2 * i + part
            loss = weight * (unet(latents[n] + noise[n]) - noise[n]).square().mean()
            (loss / GRADIENT_ACCUMULATION_STEPS).backward()
            total += loss.item()
        optimizer.step()
        global_step += 1
        return total

    def save(path):
        torch.save({"unet": unet.state_dict(), "optimizer": optimizer.state_dict(), "step": global_step}, path)

    def load(path):
        nonlocal global_step
        state = torch.load(path)
        unet.load_state_dict(state["unet"])
        optimizer.load_state_dict(state["optimizer"])
        global_step = state["step"] if fixed else state["step"] * GRADIENT_ACCUMULATION_STEPS

    return TrainingRun(components={"unet": unet, "optimizer": optimizer}, step=train_step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
