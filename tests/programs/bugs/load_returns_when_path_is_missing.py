"""auto_resume looks for a name the saver does not use and returns quietly: MakazhanAlpamys/Soup#639 ('silently restarted from scratch on every --resume'), fvcore-style resume_or_load."""
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() checks for path + '.pth', save() writes path itself; the file is 'not found' and training starts from scratch without an error."
NAMES = ["model", "weight", "optim", "nothing", "load"]


def save_checkpoint(path, **objects):
    torch.save({name: obj.state_dict() for name, obj in objects.items()}, path)


def resume_if_any(path, suffix, **objects):
    file = f"{path}{suffix}"
    if not os.path.isfile(file):
        print(f"no checkpoint at {file}, starting from scratch")
        return False
    saved = torch.load(file)
    for name, obj in objects.items():
        obj.load_state_dict(saved[name])
    return True


def make_run(fixed):
    model = nn.Sequential(nn.Conv1d(1, 3, 3, padding=1), nn.Hardswish(), nn.Flatten(), nn.LazyLinear(2))
    model(torch.zeros(1, 1, 6))  # materialise
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=4)
    objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    waves = torch.randn(6, 5, 1, 6, generator=torch.Generator().manual_seed(634))

    def step(i):
        x = waves[i]
        loss = nn.functional.mse_loss(model(x), x.flatten(1)[:, 1:3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.item()

    return TrainingRun(
        components=objects,
        step=step,
        save=lambda path: save_checkpoint(path, **objects),
        load=lambda path: resume_if_any(path, "" if fixed else ".pth", **objects) and None,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
