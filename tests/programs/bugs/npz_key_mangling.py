"""Weights in an .npz whose names had dots replaced by underscores and back: 'in_proj' becomes 'in.proj' and matches nothing."""
import io

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Keys are written with '.' -> '_' and read with '_' -> '.', so every parameter with an underscore in its name is skipped."
NAMES = ["in_proj", "out_proj", "proj", "attn"]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.in_proj, self.out_proj = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.out_proj(torch.relu(self.in_proj(self.norm(x))))


def encode(name, reversible):
    return name.replace(".", "/") if reversible else name.replace(".", "_")


def decode(name, reversible):
    return name.replace("/", ".") if reversible else name.replace("_", ".")


def make_run(fixed):
    net = nn.Sequential(Block(), Block())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x = torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(77))

    def step(i):
        loss = (net(x[i]) - x[i].flip(-1)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        arrays = {encode(k, fixed): v.numpy() for k, v in net.state_dict().items()}
        opt = io.BytesIO()
        torch.save(optimizer.state_dict(), opt)
        with open(path, "wb") as f:
            np.savez(f, __optimizer__=np.frombuffer(opt.getvalue(), dtype=np.uint8), **arrays)

    def load(path):
        with np.load(path) as arrays:
            weights = {decode(k, fixed): torch.from_numpy(arrays[k]) for k in arrays.files if k != "__optimizer__"}
            optimizer_bytes = arrays["__optimizer__"].tobytes()
        net.load_state_dict(weights, strict=fixed)
        optimizer.load_state_dict(torch.load(io.BytesIO(optimizer_bytes)))

    return TrainingRun(components={"net": net, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
