"""Unfreezing adds a parameter group in training; a resumed run has one group too few and gives up.

https://github.com/Lightning-AI/pytorch-lightning/issues/6891 (BaseFinetuning and resume_from_checkpoint),
https://github.com/technicolor-research/dsve-loc/issues/16
"""

import logging

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "After the backbone was unfrozen the loaded groups do not fit; the ValueError is logged and the state dropped."
NAMES = ["optimizer", "group", "requires_grad"]
log = logging.getLogger(__name__)
UNFREEZE_AT = 2


class FineTuner:
    def __init__(self, fixed):
        self.fixed = fixed
        self.backbone, self.head = nn.Linear(5, 7), nn.Linear(7, 2)
        self.backbone.requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.head.parameters(), lr=1e-2)

    def unfreeze(self):
        self.backbone.requires_grad_(True)
        self.optimizer.add_param_group({"params": list(self.backbone.parameters()), "lr": 1e-3})

    def training_step(self, i):
        if i == UNFREEZE_AT:
            self.unfreeze()
        x = torch.linspace(-1, 1, 20).view(4, 5) * (i + 1)
        loss = (self.head(self.backbone(x).relu()) - x[:, :2].cos()).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def state(self):
        return {k: getattr(self, k).state_dict() for k in ("backbone", "head", "optimizer")}

    def restore(self, state):
        self.backbone.load_state_dict(state["backbone"])
        self.head.load_state_dict(state["head"])
        if self.fixed and len(state["optimizer"]["param_groups"]) > len(self.optimizer.param_groups):
            self.unfreeze()
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except ValueError as error:
            log.warning("optimizer state not loaded: %s", error)


def make_run(fixed):
    tuner = FineTuner(fixed)
    return TrainingRun(
        components={"backbone": tuner.backbone, "head": tuner.head, "optimizer": tuner.optimizer},
        step=tuner.training_step,
        save=lambda path: torch.save(tuner.state(), path),
        load=lambda path: tuner.restore(torch.load(path)),
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
