"""Adapter-only checkpoint without modules_to_save: huggingface/peft#1689, #2099, #1147. The frozen 'pretrained' backbone is rightly left out."""
import os

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Only keys with 'lora_' are saved; the classifier, new and trained in full, is not among them."
NAMES = ["classifier"]


def from_pretrained():
    """The same weights in every process, like a download."""
    g = torch.Generator().manual_seed(2020)
    backbone = nn.Linear(8, 8)
    with torch.no_grad():
        for p in backbone.parameters():
            p.copy_(torch.randn(p.shape, generator=g) / 3)
    return backbone.requires_grad_(False)


class PeftModel(nn.Module):
    def __init__(self, modules_to_save=()):
        super().__init__()
        self.modules_to_save = tuple(modules_to_save)
        self.backbone = from_pretrained()
        self.lora_down, self.lora_up = nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)
        nn.init.zeros_(self.lora_up.weight)
        self.classifier = nn.Linear(8, 4)

    def forward(self, x):
        return self.classifier(torch.tanh(self.backbone(x) + self.lora_up(self.lora_down(x))))

    def adapter_state_dict(self):
        wanted = ("lora_", *self.modules_to_save)
        return {k: v for k, v in self.state_dict().items() if k.startswith(wanted)}

    def save_pretrained(self, folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(self.adapter_state_dict(), os.path.join(folder, "adapter_model.bin"))

    def load_adapter(self, folder):
        self.load_state_dict(torch.load(os.path.join(folder, "adapter_model.bin")), strict=False)


def make_run(fixed):
    model = PeftModel(modules_to_save=["classifier"] if fixed else [])
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    g = torch.Generator().manual_seed(99)
    x, y = torch.randn(6, 10, 8, generator=g), torch.randint(0, 4, (6, 10), generator=g)

    def training_step(i):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    def save(folder):
        model.save_pretrained(folder)
        torch.save(optimizer.state_dict(), os.path.join(folder, "optimizer.pt"))

    def load(folder):
        model.load_adapter(folder)
        optimizer.load_state_dict(torch.load(os.path.join(folder, "optimizer.pt")))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=training_step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
