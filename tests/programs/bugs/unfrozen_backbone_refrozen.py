"""Gradual unfreezing forgotten by resume: Lightning-AI/pytorch-lightning#21901 / #21902, huggingface/transformers#11294."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The backbone is unfrozen at step 3 only; a run resumed after that builds it frozen again and nothing gives requires_grad back."
NAMES = ["requires_grad", "backbone", "frozen", "freeze"]


class Finetuning:
    UNFREEZE_AT = 3

    def __init__(self, model, restore):
        self.model, self.restore = model, restore
        self.freeze(True)

    def freeze(self, frozen):
        for p in self.model.backbone.parameters():
            p.requires_grad_(not frozen)

    def on_step_start(self, i):
        if i == self.UNFREEZE_AT:
            self.freeze(False)

    def state_dict(self):
        return {"backbone_frozen": not next(self.model.backbone.parameters()).requires_grad}

    def load_state_dict(self, state):
        if self.restore:
            self.freeze(state["backbone_frozen"])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 9), nn.Tanh())
        self.head = nn.Linear(9, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


def make_run(fixed):
    model = Model()
    callback = Finetuning(model, restore=fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    g = torch.Generator().manual_seed(14)
    data = [(torch.randn(10, 6, generator=g), torch.randn(10, 2, generator=g)) for _ in range(6)]

    def step(i):
        callback.on_step_start(i)
        x, y = data[i]
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "callbacks": {"finetuning": callback.state_dict()}}, path)

    def load(path):
        ck = torch.load(path)
        model.load_state_dict(ck["model"])
        optimizer.load_state_dict(ck["optimizer"])
        callback.load_state_dict(ck["callbacks"]["finetuning"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
