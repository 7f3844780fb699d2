"""Model and EMA are both written as pytorch_model.bin into one folder (cf. harubaru/waifu-diffusion#31, Vchitect/Latte#55)."""
import json
import os

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pytest_ckpt import TrainingRun

DOC = "save_pretrained() always uses the same file name, so the EMA's file overwrites the model's and both are loaded from the average."
NAMES = ["model", "ema", "unet", "weight"]


def save_pretrained(module, folder, name="pytorch_model.bin"):
    os.makedirs(folder, exist_ok=True)
    torch.save(module.state_dict(), os.path.join(folder, name))


def from_pretrained(module, folder, name="pytorch_model.bin"):
    module.load_state_dict(torch.load(os.path.join(folder, name)))


def make_run(fixed):
    unet = nn.Sequential(nn.Linear(6, 12), nn.GroupNorm(3, 12), nn.SiLU(), nn.Linear(12, 6))
    ema = AveragedModel(unet, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=False)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=4e-3)
    latents = torch.randn(6, 2, 8, 6, generator=torch.Generator().manual_seed(31))
    progress = {"global_step": 0}

    def step(i):
        clean, noise = latents[i]
        loss = nn.functional.mse_loss(unet(clean + noise), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update_parameters(unet)
        progress["global_step"] = i + 1
        return loss.item()

    def save(folder):
        save_pretrained(unet, folder)
        ema_name = "ema.bin" if fixed else "pytorch_model.bin"
        save_pretrained(ema.module, folder, ema_name)
        torch.save(optimizer.state_dict(), os.path.join(folder, "optimizer.bin"))
        with open(os.path.join(folder, "state.json"), "w") as f:
            json.dump({**progress, "n_averaged": int(ema.n_averaged)}, f)

    def load(folder):
        from_pretrained(unet, folder)
        from_pretrained(ema.module, folder, "ema.bin" if fixed else "pytorch_model.bin")
        optimizer.load_state_dict(torch.load(os.path.join(folder, "optimizer.bin")))
        with open(os.path.join(folder, "state.json")) as f:
            state = json.load(f)
        progress["global_step"] = state["global_step"]
        ema.n_averaged.fill_(state["n_averaged"])

    return TrainingRun(components={"unet": unet, "ema": ema, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
