"""The scaler is made when training starts, after the checkpoint was loaded.

https://github.com/mosaicml/composer/pull/1376 ("state.scaler was not created before the load_checkpoint call")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() restores a scaler only if there is one; it is made lazily in the first step, with the first scale."
NAMES = ["scaler", "scale", "growth"]


class State:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scaler = None

    def objects(self):
        return {k: v for k, v in vars(self).items() if v is not None}

    def state_dict(self):
        return {k: v.state_dict() for k, v in self.objects().items()}

    def load_state_dict(self, saved):
        for k, v in self.objects().items():
            if k in saved:
                v.load_state_dict(saved[k])


class Trainer:
    def __init__(self, early):
        self.state = State()
        if early:
            self.make_scaler()
        self.x = torch.randn(6, 10, 3, generator=torch.Generator().manual_seed(33))

    def make_scaler(self):
        self.state.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=2)

    def step(self, i):
        if self.state.scaler is None:
            self.make_scaler()
        scaler = self.state.scaler
        loss = (self.state.model(self.x[i]).squeeze(1) - self.x[i].amax(1)).square().mean()
        self.state.optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(self.state.optimizer)
        scaler.update()
        return {"loss": loss.item(), "loss_scale": scaler.get_scale()}


def make_run(fixed):
    trainer = Trainer(early=fixed)
    return TrainingRun(
        components=trainer.state.objects,
        step=trainer.step,
        save=lambda path: torch.save(trainer.state.state_dict(), path),
        load=lambda path: trainer.state.load_state_dict(torch.load(path)),
        name="composer-like",
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
