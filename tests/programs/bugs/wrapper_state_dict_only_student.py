"""A wrapper overrides state_dict() to 'save the useful part' (the trick behind 'backbone only' files: facebookresearch/dino#44); the teacher is dropped."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "Distiller.state_dict() returns the student's state dict only, so the EMA teacher of a resumed run is the random one it was built with."
NAMES = ["teacher"]


class Distiller(nn.Module):
    def __init__(self, momentum=0.8):
        super().__init__()
        self.student = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.momentum = momentum

    def forward(self, weak, strong):
        with torch.no_grad():
            pseudo = self.teacher(weak).softmax(-1)
        return nn.functional.cross_entropy(self.student(strong), pseudo)

    @torch.no_grad()
    def update_teacher(self):
        for t, s in zip(self.teacher.parameters(), self.student.parameters()):
            t.mul_(self.momentum).add_(s, alpha=1 - self.momentum)


class SlimDistiller(Distiller):
    def state_dict(self, *args, **kwargs):
        return self.student.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return self.student.load_state_dict(state_dict, strict, assign)


def make_run(fixed):
    model = Distiller() if fixed else SlimDistiller()
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.3, momentum=0.9)
    source = torch.randn(6, 12, 6, generator=torch.Generator().manual_seed(44))

    def step(i):
        loss = model(source[i], source[i].flip(0) * 0.1 + source[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_teacher()
        return loss.item()

    def save(path):
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path):
        ck = torch.load(path)
        model.load_state_dict(ck["model"])
        optimizer.load_state_dict(ck["optimizer"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
