"""MultiStepLR trusts the optimizer's lr; without the optimizer's groups the decays that happened are forgotten.

https://github.com/pytorch/pytorch/issues/29697 ("MultiStepLR does not return good lr after load_state_dict")
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR

from pytest_ckpt import TrainingRun

DOC = "Moments and scheduler are saved, the learning rate in param_groups is not, and MultiStepLR does not compute it."
NAMES = [".lr", "['lr']", "'lr'", "learning rate", "learning_rate", "param_groups"]


def make_run(fixed):
    gen = torch.Generator().manual_seed(2)
    x = torch.randn(6, 8, 10, generator=gen)
    y = torch.randint(0, 5, (6, 8), generator=gen)
    model = nn.Linear(10, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.6, weight_decay=1e-3)
    scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.2)

    def step(i):
        loss = nn.functional.cross_entropy(model(x[i]), y[i], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return {"loss": loss.item()}

    def save(path):
        buffers = [optimizer.state.get(p, {}).get("momentum_buffer") for p in model.parameters()]
        checkpoint = {"net": model.state_dict(), "momentum": buffers, "scheduler": scheduler.state_dict()}
        if fixed:
            checkpoint["lr"] = [group["lr"] for group in optimizer.param_groups]
        torch.save(checkpoint, path)

    def load(path):
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["net"])
        for p, buffer in zip(model.parameters(), checkpoint["momentum"]):
            if buffer is not None:
                optimizer.state[p]["momentum_buffer"] = buffer
        scheduler.load_state_dict(checkpoint["scheduler"])
        for group, lr in zip(optimizer.param_groups, checkpoint.get("lr", [])):
            group["lr"] = lr

    parts = {"net": model, "optimizer": optimizer, "scheduler": scheduler}
    return TrainingRun(components=parts, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
