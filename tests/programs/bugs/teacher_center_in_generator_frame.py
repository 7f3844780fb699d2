"""The running center of a mean-teacher loss is a local variable of a training generator (the same loss as dino_center_not_saved, another home)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The teacher's running center is a local variable of the training generator and so belongs to nothing that is saved."
NAMES = ["center"]


def training(student, teacher, optimizer, views, state):
    center = torch.zeros(5)
    loss = None
    while True:
        i = yield loss
        if state is not None:
            center = state["center"]
        with torch.no_grad():
            t = teacher(views[i][0])
            target = (t - center).softmax(-1)
            center = 0.7 * center + 0.3 * t.mean(0)
        value = nn.functional.cross_entropy(student(views[i][1]), target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        for p, q in zip(teacher.parameters(), student.parameters()):
            p.data.lerp_(q.data, 0.05)
        if state is not None:
            state["center"] = center
        loss = value.item()


def make_run(fixed):
    student = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5))
    teacher = copy.deepcopy(student)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.2, momentum=0.9)
    views = torch.randn(6, 2, 8, 6, generator=torch.Generator().manual_seed(45))
    state = {"center": torch.zeros(5)} if fixed else None
    run = training(student, teacher, optimizer, views, state)
    next(run)

    def save(path):
        torch.save({"student": student.state_dict(), "teacher": teacher.state_dict(), "opt": optimizer.state_dict(), "state": state}, path)

    def load(path):
        ck = torch.load(path)
        student.load_state_dict(ck["student"])
        teacher.load_state_dict(ck["teacher"])
        optimizer.load_state_dict(ck["opt"])
        if fixed:
            state.update(ck["state"])

    return TrainingRun(components={"student": student, "teacher": teacher, "optimizer": optimizer}, step=run.send, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
