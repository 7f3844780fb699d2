"""save() converts the live model with .half() and back: nn.Module.half works in place (cf. facebookresearch/fairseq#4946, TheLastBen/fast-stable-diffusion#124)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() calls model.half() on the live model and .float() afterwards: every checkpoint rounds the weights that go on training (a resumed run agrees with the damaged one)."
NAMES = ["half", "save", "float16", "weight", "model", "live"]


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.mid, self.up = nn.Linear(8, 4), nn.Linear(4, 4), nn.Linear(4, 8)

    def forward(self, x):
        h = torch.relu(self.down(x))
        return self.up(h + torch.relu(self.mid(h)))


def export_fp16(model, in_place):
    if in_place:
        return model.half().state_dict()
    return copy.deepcopy(model).half().state_dict()


def make_run(fixed):
    unet = UNet()
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3)
    latents = torch.randn(6, 6, 8, generator=torch.Generator().manual_seed(124))

    def step(i):
        loss = nn.functional.mse_loss(unet(latents[i]), latents[i].flip(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        fp16 = {k: v.clone() for k, v in export_fp16(unet, in_place=not fixed).items()}
        unet.float()
        torch.save({"unet": unet.state_dict(), "optimizer": optimizer.state_dict(), "inference": fp16}, path)

    def load(path):
        ck = torch.load(path)
        unet.load_state_dict(ck["unet"])
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={"unet": unet, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
