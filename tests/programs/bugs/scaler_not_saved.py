"""Mixed precision: the loss scale is not checkpointed, so each resume overflows again and skips updates.

https://github.com/huggingface/transformers/pull/11663, https://github.com/facebookresearch/detectron2/pull/3686,
https://github.com/pytorch/vision/pull/4923
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "GradScaler's scale is not saved; the fresh one is too large, overflows and skips optimizer steps."
NAMES = ["scaler", "scale", "growth"]


class AMPTrainer:
    def __init__(self, save_scaler):
        self.save_scaler = save_scaler
        self.model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.grad_scaler = torch.amp.GradScaler("cpu", init_scale=2.0**18, growth_interval=3, backoff_factor=0.125)
        gen = torch.Generator().manual_seed(314)
        self.x = torch.randn(6, 16, 6, generator=gen)

    def run_step(self, i):
        x = self.x[i]
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = (self.model(x).float().squeeze(1) - 3 * x.sum(1)).square().mean()
        self.grad_scaler.scale(loss).backward()
        self.grad_scaler.step(self.optimizer)
        self.grad_scaler.update()
        return loss.item()

    def state_dict(self):
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.save_scaler:
            state["grad_scaler"] = self.grad_scaler.state_dict()
        return state

    def load_state_dict(self, state):
        for name, value in state.items():
            getattr(self, name).load_state_dict(value)


def make_run(fixed):
    trainer = AMPTrainer(save_scaler=fixed)
    return TrainingRun(
        components={"model": trainer.model, "optimizer": trainer.optimizer, "scaler": trainer.grad_scaler},
        step=trainer.run_step,
        save=lambda path: torch.save(trainer.state_dict(), path),
        load=lambda path: trainer.load_state_dict(torch.load(path)),
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
