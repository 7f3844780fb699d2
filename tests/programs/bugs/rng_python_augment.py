"""Augmentation tosses coins with Python's random module, whose state is not saved.

https://github.com/AllenCellModeling/pytorch_integrated_cell/issues/21, https://github.com/huggingface/transformers/pull/46628
"""

import json
import random
from pathlib import Path

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "random.getstate() is not in the checkpoint; flips and crops differ after a resume."
NAMES = ["python", "rng", "random"]


def augment(image):
    if random.random() < 0.5:
        image = image.flip(-1)
    left = random.randint(0, 2)
    return image[..., left : left + 6]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.fc = nn.Linear(3 * 6 * 4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))


def make_run(fixed):
    torch.manual_seed(1)
    photos, labels = torch.rand(6, 4, 1, 8, 8), torch.randint(0, 2, (6, 4))
    model = Classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(i):
        batch = torch.stack([augment(photo) for photo in photos[i]])
        loss = nn.functional.cross_entropy(model(batch), labels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(folder):
        folder = Path(folder)
        folder.mkdir(exist_ok=True, parents=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "state.pt")
        if fixed:
            (folder / "random.json").write_text(json.dumps(random.getstate()))

    def load(folder):
        state = torch.load(Path(folder) / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if fixed:
            version, internal, gauss = json.loads((Path(folder) / "random.json").read_text())
            random.setstate((version, tuple(internal), gauss))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
