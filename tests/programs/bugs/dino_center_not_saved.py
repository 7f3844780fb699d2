"""Self-distillation: the loss module owns the running center, the checkpoint forgets the loss (facebookresearch/dino saves 'dino_loss' for this reason)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The running center of the teacher's outputs is a buffer of the loss module, and the loss module is not in the checkpoint."
NAMES = ["center", "loss"]


class DINOLoss(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("center", torch.zeros(1, dim))

    def forward(self, student_out, teacher_out):
        target = ((teacher_out - self.center) / 0.04).softmax(-1).detach()
        self.center = self.center * 0.6 + teacher_out.detach().mean(0, keepdim=True) * 0.4
        return -(target * (student_out / 0.1).log_softmax(-1)).sum(-1).mean()


class SSL:
    def __init__(self, extra):
        self.student = nn.Linear(7, 5)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.dino_loss = DINOLoss(5)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=1e-2)
        self.saved = ["student", "teacher", "optimizer", *extra]
        self.views = torch.randn(6, 2, 10, 7, generator=torch.Generator().manual_seed(179))

    def step(self, i):
        one, two = self.views[i]
        loss = self.dino_loss(self.student(one), self.teacher(two)) + self.dino_loss(self.student(two), self.teacher(one))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for s, t in zip(self.student.parameters(), self.teacher.parameters()):
                t.mul_(0.9).add_(s, alpha=0.1)
        return loss.item()

    def save(self, path):
        torch.save({name: getattr(self, name).state_dict() for name in self.saved}, path)

    def load(self, path):
        checkpoint = torch.load(path)
        for name in self.saved:
            getattr(self, name).load_state_dict(checkpoint[name])


def make_run(fixed):
    ssl = SSL(extra=["dino_loss"] if fixed else [])
    parts = {"student": ssl.student, "teacher": ssl.teacher, "optimizer": ssl.optimizer, "dino_loss": ssl.dino_loss}
    return TrainingRun(components=parts, step=ssl.step, save=ssl.save, load=ssl.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
