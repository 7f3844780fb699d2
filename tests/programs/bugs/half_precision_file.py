"""Weights written as float16 'to save disk' and cast back on load (YOLO-style `deepcopy(ema).half()`; cf. facebookresearch/fairseq#4946, voicepaw/so-vits-svc-fork#77)."""
import copy

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "save() stores deepcopy(model).half(); load() casts back to float32, so 13 bits of every weight are gone."
NAMES = ["half", "float16", "fp16", "precision", "dtype", "weight"]


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.neck, self.boxes = nn.Linear(16, 8), nn.Linear(8, 4)

    def forward(self, x):
        return self.boxes(torch.relu(self.neck(self.backbone(x))))


class BaseTrainer:
    def __init__(self, full_precision):
        self.full_precision = full_precision
        self.model = Detector()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.937, nesterov=True)
        self.images = torch.rand(6, 10, 8, generator=torch.Generator().manual_seed(640))

    def step(self, i):
        x = self.images[i]
        loss = nn.functional.smooth_l1_loss(self.model(x), x[:, :4].cumsum(1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save_model(self, path):
        model = copy.deepcopy(self.model)
        if not self.full_precision:
            model = model.half()
        torch.save({"model": model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def resume(self, path):
        ckpt = torch.load(path)
        self.model.load_state_dict({k: v.float() for k, v in ckpt["model"].items()})
        self.optimizer.load_state_dict(ckpt["optimizer"])

    def predict(self):
        with torch.no_grad():
            return self.model(self.images[0])


def make_run(fixed):
    t = BaseTrainer(full_precision=fixed)
    return TrainingRun(components={"model": t.model, "optimizer": t.optimizer}, step=t.step, save=t.save_model, load=t.resume, predict=t.predict)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
