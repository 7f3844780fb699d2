"""Non-tensor extra state dropped by a 'tensors only' saver, as with safetensors-shaped savers: huggingface/transformers#38154, RLinf/RLinf#266."""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The saver keeps tensors only, so the dict returned by get_extra_state (the gate's temperature) vanishes."
NAMES = ["extra_state", "temperature"]


class AnnealedGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.randn(6))
        self.temperature = 2.0

    def forward(self, x):
        if self.training:
            self.temperature *= 0.8
        return x * torch.sigmoid(self.logits / self.temperature)

    def get_extra_state(self):
        return {"temperature": self.temperature}

    def set_extra_state(self, state):
        self.temperature = state["temperature"]


class Workspace:
    def __init__(self, keep_extra):
        self.keep_extra = keep_extra
        self.model = nn.Sequential(AnnealedGate(), nn.Linear(6, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.8)
        torch_gen = torch.Generator().manual_seed(40)
        self.x = torch.randn(32, 6, generator=torch_gen)
        self.y = self.x[:, :3].sum(1, keepdim=True)

    def train_step(self, i):
        rows = slice(4 * i, 4 * i + 8)
        loss = nn.functional.mse_loss(self.model(self.x[rows]), self.y[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        state = self.model.state_dict()
        tensors = {k: v.contiguous() for k, v in state.items() if isinstance(v, torch.Tensor)}
        save_file(tensors, os.path.join(folder, "model.safetensors"))
        if self.keep_extra:
            with open(os.path.join(folder, "extra.json"), "w") as f:
                json.dump({k: v for k, v in state.items() if k not in tensors}, f)
        torch.save(self.optimizer.state_dict(), os.path.join(folder, "optimizer.pt"))

    def load(self, folder):
        state = load_file(os.path.join(folder, "model.safetensors"))
        if self.keep_extra:
            with open(os.path.join(folder, "extra.json")) as f:
                state.update(json.load(f))
        self.model.load_state_dict(state, strict=False)
        self.optimizer.load_state_dict(torch.load(os.path.join(folder, "optimizer.pt")))


def make_run(fixed):
    w = Workspace(keep_extra=fixed)
    return TrainingRun(components={"model": w.model, "optimizer": w.optimizer}, step=w.train_step, save=w.save, load=w.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
