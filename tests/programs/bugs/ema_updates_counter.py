"""ModelEMA.updates is a plain int: after a resume the decay is near zero and the average is thrown away.

https://github.com/lightly-ai/lightly-train/pull/892, https://github.com/ultralytics/yolov5/issues/310
"""

import copy
import math

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The EMA's update count, which sets its decay, restarts at 0; the teacher jumps to the student's weights."
NAMES = [".updates", "modelema", "ema.updates"]


class ModelEMA:
    """Ultralytics' EMA with a decay that warms up."""

    def __init__(self, model, decay=0.99, tau=3):
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        self.updates = 0
        self.decay = lambda n: decay * (1 - math.exp(-n / tau))

    def update(self, model):
        self.updates += 1
        d = self.decay(self.updates)
        weights = model.state_dict()
        for name, value in self.ema.state_dict().items():
            value.mul_(d).add_(weights[name], alpha=1 - d)


class MeanTeacher:
    def __init__(self):
        torch.manual_seed(13)
        self.views = torch.randn(6, 2, 8, 5)
        self.student = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 4))
        self.ema = ModelEMA(self.student)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=0.02)

    def step(self, i):
        one, two = self.views[i]
        target = self.ema.ema(two)
        loss = (self.student(one) - target - one[:, :4].tanh()).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema.update(self.student)
        return loss.item()

    def parts(self):
        return {"student": self.student, "teacher": self.ema.ema, "optimizer": self.optimizer}


def make_run(fixed):
    run = MeanTeacher()

    def save(path):
        state = {name: part.state_dict() for name, part in run.parts().items()}
        torch.save({**state, "updates": run.ema.updates}, path)

    def load(path):
        state = torch.load(path)
        for name, part in run.parts().items():
            part.load_state_dict(state[name])
        if fixed:
            run.ema.updates = state["updates"]

    return TrainingRun(components=run.parts(), step=run.step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
