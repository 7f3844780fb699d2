"""Two-tier (memory first, then disk) checkpoints whose memory tier holds live tensors: the CPU-tensor bug of pytorch/pytorch#144657 and NVIDIA/nvidia-resiliency-ext#376."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The in-memory tier stores state dicts by reference; further training changes the checkpoint, and a load in the same process gets later weights."
NAMES = ["model", "weight", "alias", "memory", "optim"]

MEMORY_TIER = {}


class FlashCheckpointer:
    def __init__(self, parts, snapshot):
        self.parts, self.snapshot = parts, snapshot

    def save(self, path):
        state = {name: part.state_dict() for name, part in self.parts.items()}
        if self.snapshot:
            state = copy.deepcopy(state)
        MEMORY_TIER[str(path)] = state
        torch.save(state, path)

    def load(self, path):
        state = MEMORY_TIER.get(str(path))
        if state is None:  # another process wrote it
            state = torch.load(path)
        elif self.snapshot:
            state = copy.deepcopy(state)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


def make_run(fixed):
    model = nn.Sequential(nn.Linear(5, 9), nn.ELU(), nn.Linear(9, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    parts = {"model": model, "optimizer": optimizer}
    flash = FlashCheckpointer(parts, snapshot=fixed)

    def step(i):
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(600 + i))
        loss = (model(x) - x.cos()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return TrainingRun(components=parts, step=step, save=flash.save, load=flash.load, name="flash-checkpoint")


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
