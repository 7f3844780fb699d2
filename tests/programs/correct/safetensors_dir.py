"""Weights in model.safetensors, flattened optimizer state in a second one, groups in a JSON."""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pytest_ckpt import TrainingRun


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.GELU(), nn.Linear(7, 2))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-3)

    def step(self, i):
        x = torch.arange(30.0).view(6, 5).mul(0.11 * (i + 1)).cos()
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), torch.arange(6) % 2, label_smoothing=0.1)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        os.makedirs(path, exist_ok=True)
        state = self.optimizer.state_dict()
        flat = {f"{n}.{k}": v.contiguous() for n, s in state["state"].items() for k, v in s.items()}
        save_file(self.model.state_dict(), os.path.join(path, "model.safetensors"), metadata={"format": "pt"})
        save_file(flat, os.path.join(path, "optimizer.safetensors"))
        with open(os.path.join(path, "groups.json"), "w") as f:
            json.dump(state["param_groups"], f)

    def load(self, path):
        self.model.load_state_dict(load_file(os.path.join(path, "model.safetensors")))
        state = {}
        for name, value in load_file(os.path.join(path, "optimizer.safetensors")).items():
            n, k = name.split(".")
            state.setdefault(int(n), {})[k] = value
        with open(os.path.join(path, "groups.json")) as f:
            groups = json.load(f)
        for g in groups:
            g["betas"] = tuple(g["betas"])
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def make_run():
    t = Trainer()
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save, load=t.load)
